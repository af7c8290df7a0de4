"""The files of a new connector package, filled in by connectors.scaffold."""
