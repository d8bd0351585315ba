"""What of ours in an engine nobody needs any more: chosen, weighed, and taken away."""
