"""Where facts go: ClickHouse, exactly once. Own consumer groups, never Faust agents."""
