"""Learning along one unbroken walk, judged by its average reward."""
