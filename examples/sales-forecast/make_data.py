"""Writes sales.csv: two invented years of a bakery's days. The same seed gives the same file."""

import csv
import math
import random
from datetime import date, timedelta
from pathlib import Path

SEED = 20240101
FIRST_DAY = date(2024, 1, 1)
DAYS = 731
BY_WEEKDAY = (0.86, 0.88, 0.92, 0.97, 1.12, 1.38, 0.87)  # Monday first
CLOSED = {(1, 1), (12, 25)}


def main() -> None:
    rng = random.Random(SEED)  # noqa: S311 - invented sales, no secrets
    noise = 0.0
    with (Path(__file__).parent / "sales.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["date", "temperature_c", "promotion", "customers", "revenue_eur"])
        for number in range(DAYS):
            day = FIRST_DAY + timedelta(days=number)
            season = math.cos(2 * math.pi * (day.timetuple().tm_yday - 20) / 365.25)  # 1 in deep winter
            temperature = 10.5 - 9.5 * season + rng.gauss(0, 3.2)
            promotion = rng.random() < 0.12
            noise = 0.5 * noise + rng.gauss(0, 0.04)
            level = 240 * (1 + 0.18 * number / DAYS) * BY_WEEKDAY[day.weekday()]
            level *= 1 + 0.06 * season + noise + (0.16 if promotion else 0.0) - 0.004 * max(0.0, temperature - 24)
            customers = 0 if (day.month, day.day) in CLOSED else max(0, round(level))
            revenue = customers * rng.gauss(7.4 - (0.5 if promotion else 0.0), 0.25)
            writer.writerow([day.isoformat(), f"{temperature:.1f}", int(promotion), customers, f"{revenue:.2f}"])


if __name__ == "__main__":
    main()
