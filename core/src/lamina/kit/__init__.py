"""What plugins share, and the kernel never imports: see its modules.

- :mod:`lamina.kit.harness`: what a person wrote, told apart from what a harness wraps around it.
- :mod:`lamina.kit.statements`: constraints and corrections in a person's words; long texts shortened around them.
- :mod:`lamina.kit.plans`: an agent's own plan, in the shapes of many harnesses.
- :mod:`lamina.kit.working`: files, commands and errors with their latest state.
- :mod:`lamina.kit.blocks`: content blocks of Anthropic's API that the model has no word for.
- :mod:`lamina.kit.items`: items of OpenAI's Responses API, read and written.
- :mod:`lamina.kit.sources`: reading recordings: records with exact slices, errors with their line, limits.
- :mod:`lamina.kit.forms`: reading and writing messages: what a record says, results sorted out, one document of a session.
- :mod:`lamina.kit.images` and :mod:`lamina.kit.documents`: what a picture or a PDF is, from its bytes.
- :mod:`lamina.kit.keys`: what keys and scans of storages may be.
- :mod:`lamina.kit.paging`: what pagers share: positions, the tokens of a plan, a layout to try changes on.
- :mod:`lamina.kit.identifiers`: names and words of a text, in every script.
- :mod:`lamina.kit.http`: asking a service: its address, the key to it, one call that can be given up.
- :mod:`lamina.kit.sqlitefile` and :mod:`lamina.kit.indexfile`: a derived file that several processes use, and the documents of
  an index in one.
- :mod:`lamina.kit.vectors`: vectors as embedders give them, without numpy.
- :mod:`lamina.kit.dates`: times that a text speaks of, as ranges of days, in seven languages.
- :mod:`lamina.kit.toolforms`: tools in the forms that providers and MCP take.
- :mod:`lamina.kit.brief` and :mod:`lamina.kit.promise`: what a window always says (requests, plan, working set), for any pager.
"""
