from functools import partial

import pytest

from lamina.testing import EmbedderSuite, LoneHost
from lamina_embedder_http import HttpSettings, open_http

from .conftest import SIZE


class TestHttp(EmbedderSuite):
    strategy = "http"

    @pytest.fixture
    def open_embedder(self, server, tmp_path):
        settings = HttpSettings(url=server.url, model="m", dimensions=SIZE, batch=2, concurrency=2)
        return partial(open_http, settings, LoneHost(tmp_path))
