"""Learning in preference games: the methods of the papers, one file each."""
