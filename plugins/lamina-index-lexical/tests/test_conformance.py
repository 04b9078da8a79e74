import pytest

from lamina.testing import IndexSuite, LoneHost
from lamina_index_lexical import LexicalSettings, open_lexical


class TestLexical(IndexSuite):
    strategy = "lexical"

    @pytest.fixture
    def open_index(self, tmp_path):
        def opened(namespace="test"):
            return open_lexical(LexicalSettings(), LoneHost(tmp_path, namespace=namespace))

        return opened
