"""Jobs: their states, their kinds, the queue that runs them one at a time, and who hears about it."""
