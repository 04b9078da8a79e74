import asyncio
import datetime

import pytest

from lamina.protocols import IndexUpdate, SearchRequest
from lamina.testing import IndexSuite, LoneHost, deviates, documents_of
from lamina_index_time import TimeSettings, open_time


class TestTime(IndexSuite):
    strategy = "time"

    @pytest.fixture
    def open_index(self, tmp_path):
        def opened(namespace="test"):
            return open_time(TimeSettings(near_days=0), LoneHost(tmp_path, namespace=namespace))

        return opened

    def mark(self, number):
        return (datetime.date(2031, 1, 1) + datetime.timedelta(days=number)).isoformat()

    @deviates("it finds the same days, in whatever language they are said")
    def test_every_language_is_found(self, open_index):
        texts = {
            "english": "we met on May 7th, 2021", "german": "am 8. Mai 2021", "french": "le 9 mai 2021",
            "spanish": "el 10 de mayo de 2021", "russian": "11 мая 2021", "chinese": "2021年5月12日开会",
        }  # fmt: skip

        async def act(index):
            await index.update(IndexUpdate(add=documents_of(texts)))
            hits = [await index.search(SearchRequest(query=f"2021-05-{day:02}")) for day in range(7, 13)]
            return [[hit.id for hit in some] for some in hits]

        assert self.run(open_index, act) == [[name] for name in texts]


class TestTimeWithTheNewest(TestTime):
    """What is found where no time is spoken of changes nothing where one is."""

    @pytest.fixture
    def open_index(self, tmp_path):
        def opened(namespace="test"):
            return open_time(TimeSettings(near_days=0, newest=5), LoneHost(tmp_path, namespace=namespace))

        return opened


def test_it_finds_nothing_where_no_time_is_spoken_of(tmp_path):
    async def act():
        async with open_time(TimeSettings(), LoneHost(tmp_path)) as index:
            await index.update(IndexUpdate(add=documents_of({"a": "the port, yesterday"})))
            return await index.search(SearchRequest(query="the port", now_s=1e9))

    assert asyncio.run(act()) == []
