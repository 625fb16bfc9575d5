from menu.main import MENU


def test_every_dish_has_a_price() -> None:
    assert all(entry["price"] > 0 for entry in MENU)
