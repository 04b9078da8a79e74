"""What plugins share, and the kernel never imports: see its modules.

- :mod:`lamina.kit.harness`: what a person wrote, told apart from what a harness wraps around it.
- :mod:`lamina.kit.promise`: what a window always says (requests, plan, working set), for any pager.
"""
