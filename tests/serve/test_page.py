"""The page in a real browser."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from made_films import dicom_film, draw_film
from serving import Service, png, serving

from pneumo_infer.cli.command import SAMPLES

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

playwright = pytest.importorskip("playwright.sync_api")
axe = pytest.importorskip("axe_playwright_python.sync_playwright")
expect = playwright.expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
WIDE, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
TOKEN = "a-token-of-some-length"
# Playwright's own way to pick files up needs no drop, so the event is made by hand.
DROP = """([names, contents]) => {
  const dragged = new DataTransfer();
  names.forEach((name, number) => dragged.items.add(new File([Uint8Array.from(contents[number])], name)));
  for (const kind of ["dragenter", "dragover", "drop"]) {
    document.getElementById("drop").dispatchEvent(
      new DragEvent(kind, { dataTransfer: dragged, bubbles: true, cancelable: true }));
  }
}"""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def page(browser: Browser, service: Service) -> Iterator[Page]:
    with browser.new_context(viewport=WIDE) as context:
        page = context.new_page()
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("request", lambda request: None if _is_local(request.url, service) else errors.append(request.url))
        page.goto(service.address)
        yield page
        assert errors == []


def _is_local(address: str, service: Service) -> bool:
    return address.startswith((service.address, "data:", "blob:"))


def drop(page: Page, films: dict[str, bytes]) -> None:
    page.evaluate(DROP, [list(films), [list(film) for film in films.values()]])
    done = "1 film done" if len(films) == 1 else f"{len(films)} films done"
    expect(page.get_by_role("status")).to_contain_text(done, timeout=120_000)


def samples() -> dict[str, bytes]:
    return {name: (SAMPLES / name).read_bytes() for name in ("normal.png", "pneumonia.png")}


def test_three_films_of_which_one_is_broken(page: Page) -> None:
    drop(page, {**samples(), "=broken, or not.png": b"no film"})
    expect(page.get_by_role("status")).to_have_text("3 films done: 1 normal, 1 pneumonia, 1 not readable.")
    normal, pneumonia, broken = page.locator(".card").all()
    expect(normal).to_contain_text("Normal")
    expect(normal).to_contain_text("below the threshold")
    expect(pneumonia).to_contain_text("> 0.999")
    expect(pneumonia.get_by_role("img", name="Probability of pneumonia")).to_be_visible()
    expect(broken).to_contain_text("not a JPEG")
    expect(broken.locator("figure")).to_be_hidden()

    slider = pneumonia.get_by_role("slider")
    assert slider.input_value() == "60"
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert pneumonia.locator(".evidence").evaluate("picture => getComputedStyle(picture).opacity") == "0.65"
    expect(pneumonia.locator(".percent")).to_have_text("65 %")
    assert pneumonia.locator(".picture").evaluate("picture => picture.naturalWidth") == 224

    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text(), newline="")))
    assert [row["path"] for row in rows] == ["normal.png", "pneumonia.png", "'=broken, or not.png"]
    assert [row["outcome"] for row in rows] == ["NORMAL", "PNEUMONIA", ""]
    assert float(rows[1]["probability"]) > 0.999
    assert rows[0]["in_domain"] == "True"


def test_the_table_sorts(page: Page) -> None:
    drop(page, {"b.png": samples()["pneumonia.png"], "a.png": samples()["normal.png"], "c.png": b"no film"})
    names = page.locator("#rows th")
    expect(names).to_have_text(["b.png", "a.png", "c.png"])
    page.get_by_role("button", name="film", exact=True).click()
    expect(names).to_have_text(["a.png", "b.png", "c.png"])
    page.get_by_role("button", name="probability").click()
    expect(names).to_have_text(["a.png", "b.png", "c.png"])
    page.get_by_role("button", name="probability").click()
    expect(names).to_have_text(["b.png", "a.png", "c.png"])
    expect(page.get_by_role("columnheader", name="probability")).to_have_attribute("aria-sort", "descending")


def test_another_operating_point_is_asked_of_the_service(page: Page) -> None:
    page.get_by_role("button", name="Try two drawn samples").click()
    expect(page.get_by_role("status")).to_contain_text("2 films done", timeout=120_000)
    page.get_by_label("Operating point").select_option("screening")
    for card in page.locator(".card").all():
        expect(card.locator(".legend .now")).to_contain_text("screening", timeout=60_000)
        expect(card.locator(".why")).to_contain_text("(screening)")


def test_dicom_films_are_shown_and_review_is_explained(page: Page) -> None:
    drop(page, {"film.dcm": dicom_film(draw_film(0).astype(np.uint16) * 16)})
    card = page.locator(".card")
    expect(card).to_contain_text("Needs review")
    expect(card).to_contain_text("does not resemble the films that the model knows")
    assert card.locator(".picture").evaluate("picture => picture.naturalWidth") == 360


def test_a_film_is_chosen_and_read_by_keyboard_alone(page: Page, tmp_path: Path) -> None:
    film = tmp_path / "film.png"
    film.write_bytes(samples()["normal.png"])
    for _ in range(4):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "files":
            break
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Space")
    chooser.value.set_files(film)
    expect(page.get_by_role("status")).to_contain_text("1 film done", timeout=60_000)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", [WIDE, PHONE])
def test_axe_finds_nothing(browser: Browser, service: Service, scheme: str, size: dict[str, int]) -> None:
    with browser.new_context(viewport=size, color_scheme=scheme) as context:  # type: ignore[arg-type]
        page = context.new_page()
        page.goto(service.address)
        drop(page, {**samples(), "broken.png": b"no film", "unlike.png": png(100)})
        assert page.evaluate("document.documentElement.scrollWidth") <= size["width"]
        for address in ("", "/docs"):
            if address:
                page.goto(service.address + address)
            found = axe.Axe().run(page).response["violations"]
            assert [(rule["id"], node["html"]) for rule in found for node in rule["nodes"]] == []


def test_the_token_is_asked_for(browser: Browser) -> None:
    with serving("--token", TOKEN, "--no-isolate") as service, browser.new_context() as context:
        page = context.new_page()
        page.goto(service.address)
        page.get_by_label("This service needs a token").fill("not the token")
        page.get_by_role("button", name="Use it").click()
        expect(page.get_by_role("alert")).to_have_text("This token is not accepted.")
        page.get_by_label("This service needs a token").fill(TOKEN)
        page.get_by_role("button", name="Use it").click()
        drop(page, {"film.png": samples()["normal.png"]})
        expect(page.locator(".card")).to_contain_text("Normal")
