"""A caller's own `build(hp)` and data: its space, its samples, and how its trials run."""
