"""Forecasts the next days of a shop's sales from its past ones."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_absolute_error, r2_score

HERE = Path(__file__).parent
FEATURES = ["weekday", "day_of_year", "day_number", "temperature_c", "promotion", "week_ago", "fortnight_ago", "recent"]


def forecast(days: int = 28, target: str = "revenue_eur", data: str = "sales.csv") -> dict[str, object]:
    """Train on all but the last ``days`` days of ``data`` and forecast those.

    ``target`` is the column to forecast: ``revenue_eur`` or ``customers``.
    """
    sales = pd.read_csv(HERE / data, parse_dates=["date"])
    print(f"{len(sales)} days of sales, {sales['date'].min():%d %b %Y} to {sales['date'].max():%d %b %Y}")
    table = features(sales, target, days)
    past, future = table.iloc[:-days], table.iloc[-days:]
    print(f"training on {len(past)} days, forecasting {target} of the last {days}")
    model = HistGradientBoostingRegressor(max_iter=250, learning_rate=0.06, random_state=0)
    model.fit(past[FEATURES], past[target])
    predicted = model.predict(future[FEATURES])
    score = r2_score(future[target], predicted)
    error = mean_absolute_error(future[target], predicted)
    print(f"R² {score:.3f}, mean absolute error {error:.1f} ({error / future[target].mean():.1%} of a day)")
    return {
        "target": target,
        "days": days,
        "r2": round(float(score), 4),
        "mean_absolute_error": round(float(error), 2),
        "forecast": {
            f"{day:%Y-%m-%d}": round(float(value), 1) for day, value in zip(future["date"], predicted, strict=True)
        },
    }


def features(sales: pd.DataFrame, target: str, days: int) -> pd.DataFrame:
    """What is known of a day before it comes: the calendar, the weather, and sales at least ``days`` ago."""
    table = sales.copy()
    table["weekday"] = table["date"].dt.dayofweek
    table["day_of_year"] = table["date"].dt.dayofyear
    table["day_number"] = range(len(table))
    # Whole weeks back, as far as the forecast reaches.
    weeks = -(-days // 7)
    table["week_ago"] = table[target].shift(7 * weeks)
    table["fortnight_ago"] = table[target].shift(7 * (weeks + 1))
    table["recent"] = table[target].shift(days).rolling(28).mean()
    return table.dropna()
