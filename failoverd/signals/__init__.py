"""Who measures what failoverd cannot see itself: its demand, what regions can carry, the errors that users see."""
