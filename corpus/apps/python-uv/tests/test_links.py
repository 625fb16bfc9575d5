from linkcheck.links import links


def test_finds_links() -> None:
    assert [found["link"] for found in links("see https://example.com/ and ftp://x")] == ["https://example.com/"]
