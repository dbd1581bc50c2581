"""The story that ``touchline demo`` plays: half a year at a B2B company, as requests in the real wire formats.

    cast (companies, people) -> plot (visits, mail, deals) -> wire (requests) -> story (requests in order)

All of it is a function of the seed and of the moment at which the story ends, so its numbers are the same every time.
Nothing here knows how the product computes anything.
"""
