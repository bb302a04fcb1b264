"""Processors: where kernel variants of a framework part in verdict, and what holds on certain kernels.

Which kernels run is decided by the processor and by a few environment variables. Variants part on a check
where one conforms and another does not, or where they fail in different ways; that one is `exact` and another
`stable` is counted, no more.
"""
