"""Planning by random exploration, and how often it succeeds."""
