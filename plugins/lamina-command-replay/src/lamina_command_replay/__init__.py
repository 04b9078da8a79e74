"""The command ``lamina replay``: recorded sessions through any configuration, measured."""
