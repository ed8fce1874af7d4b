"""What each agent has to do now: pure functions of the market's view, of what the agent holds, and of the time.

Duties are worked out anew at every block. An agent that was killed, or whose chain went back, comes to the same duties again,
and each has a key under which its effect happens once.
"""
