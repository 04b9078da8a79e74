"""Fakes for the conformance suites: a sound one of each kind, and one for every way to be broken.

Each broken fake says which of its suite's tests it must fail, and no others: so the suites are tested themselves.
"""
