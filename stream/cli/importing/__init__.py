"""``touchline import``: files of CRM objects, costs, rates and events through the collector's own endpoints.

    readers -> SourceRow -> binding (a mapping on a header) -> objects -> checking -> batches -> delivery

What decides is pure: ``values``, ``binding``, ``objects``, ``checking``. Files are read in ``readers``, the network is in
``delivery``, and ``run`` puts them together. Every row of a file is sent, skipped by the mapping, or kept with a reason.
"""
