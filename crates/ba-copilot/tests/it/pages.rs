//! Pages in real Chromium: the first page generates a diagram, and no picture cuts off, overlaps or omits a label.
//!
//! `cargo xtask test` installs Chromium.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use fantoccini::{ClientBuilder, Locator};
use mermend::{
    Deadline,
    picture::{Drawing, PictureOptions, web_fonts},
};
use serde_json::{Value, json};
use tempfile::TempDir;
use test_support::skip;

use crate::process::Server;

const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// Whether the program is installed; counted as a skip if not.
pub(crate) fn installed(program: &str) -> bool {
    let there = Command::new(program).arg("--version").output().is_ok_and(|output| output.status.success());
    if !there {
        skip(format!("{program} is not installed"));
    }
    there
}

pub(crate) struct Driver {
    child: Child,
    address: String,
}

impl Driver {
    pub(crate) fn start() -> Driver {
        let mut child = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver");
        let lines = BufReader::new(child.stdout.take().expect("an output")).lines().map_while(Result::ok);
        let mut lines = lines.filter_map(|line| {
            line.split("successfully on port ").nth(1).map(|port| port.trim_end_matches('.').to_owned())
        });
        let port = lines.next().expect("a port");
        Driver { child, address: format!("http://127.0.0.1:{port}") }
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) async fn browser(driver: &Driver, profile: &TempDir) -> fantoccini::Client {
    let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
    flags.push(format!("--user-data-dir={}", profile.path().display()));
    flags.push("--window-size=1400,1000".to_owned());
    flags.push("--allow-file-access-from-files".to_owned());
    let capabilities =
        json!({"goog:chromeOptions": {"args": flags}, "goog:loggingPrefs": {"browser": "ALL"}});
    let Value::Object(capabilities) = capabilities else { unreachable!("an object") };
    ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
        .capabilities(capabilities)
        .connect(&driver.address)
        .await
        .expect("a browser")
}

#[tokio::test(flavor = "multi_thread")]
async fn home_page_generates_a_diagram() {
    if !installed("chromium") || !installed("chromedriver") {
        return;
    }
    let (data, profile) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let server = Server::start(data.path(), &[]);
    let driver = Driver::start();
    let client = browser(&driver, &profile).await;
    let home = format!("http://{}/", server.address);
    for (kind, expected) in [("class", "classDiagram"), ("use_case", "flowchart"), ("activity", "flowchart")]
    {
        client.goto(&home).await.expect("the page");
        let message = client.find(Locator::Id("message")).await.expect("the field");
        message.clear().await.expect("an empty field");
        message
            .send_keys(
                "A customer places orders. Each order has a number. As a customer, I want \
                        to place an order. The clerk checks the order. If the order is complete, the \
                        clerk ships it, otherwise the clerk asks the customer.",
            )
            .await
            .expect("typed");
        client
            .find(Locator::Css(&format!("label:has(input[value={kind}])")))
            .await
            .expect("the choice")
            .click()
            .await
            .expect("chosen");
        client.find(Locator::Css("form button")).await.expect("the button").click().await.expect("sent");
        client.wait().for_element(Locator::Css(".picture svg")).await.expect("a picture");
        let source =
            client.find(Locator::Id("source")).await.expect("the source").text().await.expect("text");
        assert!(source.starts_with(expected), "{source}");
        let note =
            client.find(Locator::Css(".note.good")).await.expect("the note").text().await.expect("text");
        assert!(note.contains("Valid Mermaid") && note.contains("sentences covered"), "{note}");
        // Every element of the picture is linked to words of the text, and hovering highlights them.
        let lit = client
            .execute(
                "const part = document.querySelector('.picture [data-element]'); \
                 part.dispatchEvent(new PointerEvent('pointerenter')); \
                 return [document.querySelectorAll('.picture [data-element]').length, \
                 document.querySelectorAll('mark').length, document.querySelectorAll('.lit').length];",
                vec![],
            )
            .await
            .expect("a script");
        let counts: Vec<u64> = serde_json::from_value(lit).expect("three numbers");
        assert!(counts.iter().all(|count| *count > 0), "{kind}: {counts:?}");
        for (link, ends) in [("Download SVG", "/versions/1.svg"), ("Download PNG", "/versions/1.png")] {
            let found = client.find(Locator::LinkText(link)).await.expect("the link");
            let href = found.attr("href").await.expect("an address");
            assert!(href.is_some_and(|href| href.ends_with(ends)), "{link}");
        }
    }
    // The page works without JavaScript and reports errors as text.
    client.goto(&home).await.expect("the page");
    client
        .execute(
            "document.getElementById('message').removeAttribute('required'); \
             document.getElementById('message').value = ' ';",
            vec![],
        )
        .await
        .expect("a script");
    client.find(Locator::Css("form button")).await.expect("the button").click().await.expect("sent");
    client.wait().for_element(Locator::Css(".note.problem")).await.expect("a problem");
    client.close().await.expect("closed");
}

/// Diagrams with labels of every length and shape.
fn labelled_diagrams() -> Vec<(String, String)> {
    let words = [
        "Order",
        "Customer account",
        "Wi",
        "Illness certificate of the employee",
        "MMMMWWWW",
        "Straße & Über-Größe",
        "Заказ клиента",
        "Đơn đặt hàng",
        "Παραγγελία",
        "x",
        "fifteen % (of 20)",
        "«quoted» “text”",
        "e-mail / phone",
        "Überweisungsbestätigungsnummer",
    ];
    let word = |n: usize| words[n % words.len()];
    let mut out: Vec<(String, String)> = mermend::kinds::KINDS
        .iter()
        .map(|kind| (format!("sample {}", kind.id), kind.sample.to_owned()))
        .collect();
    for n in 0..70 {
        let mut classes = String::from("classDiagram\n");
        for c in 0..3 {
            classes.push_str(&format!("    class C{c}[\"{}\"] {{\n", word(n + c)));
            for a in 0..(n + c) % 4 {
                classes.push_str(&format!(
                    "        +String {}{a}\n",
                    ["name", "dateOfBirthOfTheCustomer", "i", "totalAmountWithTax"][(n + a) % 4]
                ));
            }
            classes.push_str("        +calculate(amount: Money) Money\n    }\n");
        }
        classes.push_str(&format!(
            "    C0 \"1\" --> \"0..*\" C1 : {}\n    C1 *-- \"1..*\" C2 : {}\n",
            word(n + 5).replace([':', '%'], ""),
            ["has", "consists of several"][n % 2]
        ));
        out.push((format!("class {n}"), classes));
        let flow = format!(
            concat!(
                "flowchart {}\n",
                "    a([\"{}\"]) -->|\"{}\"| b{{\"{}?\"}}\n",
                "    b -->|\"yes\"| c[\"{}\"]\n",
                "    b -->|\"no, {}\"| d(\"{}\")\n",
                "    subgraph s[\"{}\"]\n",
                "        c --> e[\"{}\"]\n",
                "    end\n",
            ),
            ["LR", "TD"][n % 2],
            word(n),
            word(n + 3),
            word(n + 1),
            word(n + 2),
            word(n + 7),
            word(n + 4),
            word(n + 6),
            word(n + 9)
        );
        out.push((format!("flowchart {n}"), flow));
        let sequence = format!(
            concat!(
                "sequenceDiagram\n",
                "    participant A as {}\n",
                "    participant B as {}\n",
                "    A->>B: {}\n",
                "    B-->>A: {}\n",
                "    Note over A,B: {}\n",
            ),
            word(n),
            word(n + 1),
            word(n + 2),
            word(n + 3),
            word(n + 4)
        );
        out.push((format!("sequence {n}"), sequence));
    }
    out
}

/// Inspects each picture in the page and returns its faults as `name: fault` lines.
const INSPECT_PICTURES: &str = r#"
const done = arguments[arguments.length - 1];
document.fonts.ready.then(async () => {
  await Promise.all([...document.fonts].map((font) => font.load()));
  const faults = [];
  const overlap = (a, b) => Math.min(
    Math.min(a.right, b.right) - Math.max(a.left, b.left),
    Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top),
  );
  const ink = (canvas, box, scale) => {
    const [x, y, w, h] = [box.x * scale, box.y * scale, box.width * scale, box.height * scale].map(Math.round);
    const context = canvas.getContext('2d');
    const pixels = context.getImageData(Math.max(0, x), Math.max(0, y), Math.max(1, w), Math.max(1, h)).data;
    let sum = 0;
    for (let i = 0; i < pixels.length; i += 4) sum += 255 - (pixels[i] + pixels[i + 1] + pixels[i + 2]) / 3;
    return sum;
  };
  const canvasOf = (image, width, height) => {
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = canvas.getContext('2d');
    context.fillStyle = '#fff';
    context.fillRect(0, 0, width, height);
    context.drawImage(image, 0, 0, width, height);
    return canvas;
  };
  for (const section of document.querySelectorAll('section')) {
    const name = section.dataset.name, svg = section.querySelector(':scope > div > svg');
    const frame = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll('text')].filter((text) =>
      text.textContent.trim() && text.getBoundingClientRect().width > 0 && !text.closest('defs'));
    const uses = [...svg.querySelectorAll('use')]
      .map((use) => ({ node: use, label: document.getElementById(use.getAttribute('href')?.slice(1) ?? '') }))
      .filter(({ label }) => label?.querySelector('text')?.textContent.trim());
    const labels = [
      ...texts.map((node) => ({ node, box: node.getBoundingClientRect(), words: node.textContent.trim() })),
      ...uses.map(({ node, label }) => ({ node, box: node.getBoundingClientRect(), words: label.textContent.trim() })),
    ];
    for (const { node, words } of labels) {
      // Labels use the font that they were measured with, whichever fonts are installed.
      if (node.tagName === 'text' && !/^"?Inter/.test(getComputedStyle(node).fontFamily)) {
        faults.push(`${name}: "${words}" has the font ${getComputedStyle(node).fontFamily}`);
      }
    }
    if (labels.length === 0 && !section.dataset.empty) faults.push(`${name}: no label at all`);
    for (const { node, box, words } of labels) {
      const leaves = box.left < frame.left - 1 || box.right > frame.right + 1
        || box.top < frame.top - 1 || box.bottom > frame.bottom + 1;
      if (leaves) faults.push(`${name}: "${words}" leaves the picture`);
      const shape = node.closest('g.node')?.querySelector('rect, polygon, circle, ellipse, path');
      if (shape) {
        const around = node.closest('g.node').getBoundingClientRect(), own = shape.getBoundingClientRect();
        const outer = own.width > 4 && own.height > 4 ? own : around;
        const by = Math.max(outer.left - box.left, box.right - outer.right).toFixed(1);
        const leaves = box.left < outer.left - 2 || box.right > outer.right + 2;
        if (leaves) faults.push(`${name}: "${words}" leaves its shape by ${by}`);
      }
    }
    for (let i = 0; i < labels.length; i++) for (let j = i + 1; j < labels.length; j++) {
      if (labels[i].node.contains(labels[j].node)) continue;
      const by = overlap(labels[i].box, labels[j].box);
      if (by > 3) {
        faults.push(`${name}: "${labels[i].words}" and "${labels[j].words}" overlap by ${by.toFixed(1)}`);
      }
    }
    // The PNG contains the ink of each label of the SVG.
    const image = section.querySelector('img');
    try { await image.decode(); } catch { faults.push(`${name}: the PNG cannot be read`); continue; }
    const scale = image.naturalWidth / frame.width;
    const painted = canvasOf(image, image.naturalWidth, image.naturalHeight);
    const vector = new Image();
    vector.src = section.dataset.svg;
    try { await vector.decode(); } catch { faults.push(`${name}: the SVG cannot be read`); continue; }
    // An image can be painted before its fonts are loaded, so it is painted until the result is stable.
    let drawn = canvasOf(vector, image.naturalWidth, image.naturalHeight), last = '', same = 0;
    for (let turn = 0; same < 2 && turn < 60; turn++) {
      await new Promise(requestAnimationFrame);
      drawn = canvasOf(vector, image.naturalWidth, image.naturalHeight);
      const now = drawn.toDataURL();
      same = now === last ? same + 1 : 0;
      last = now;
    }
    for (const { box, words } of labels) {
      const local = { x: box.x - frame.x, y: box.y - frame.y, width: box.width, height: box.height };
      const [a, b] = [ink(drawn, local, scale), ink(painted, local, scale)];
      if (a > 2000 && (b < a * 0.75 || b > a * 1.4)) {
        faults.push(`${name}: "${words}" has ${(b / a).toFixed(2)} of its ink in the PNG`);
      }
    }
  }
  done(faults);
}).catch((error) => done([`the page failed: ${error}`]));
"#;

#[tokio::test(flavor = "multi_thread")]
async fn no_label_is_cut_overlaps_or_leaves_its_shape() {
    if !installed("chromium") || !installed("chromedriver") {
        return;
    }
    let (folder, profile) = (TempDir::new().expect("a folder"), TempDir::new().expect("a folder"));
    let driver = Driver::start();
    let client = browser(&driver, &profile).await;
    let timeouts =
        fantoccini::wd::TimeoutConfiguration::new(Some(std::time::Duration::from_secs(240)), None, None);
    client.update_timeouts(timeouts).await.expect("a longer time");
    let mut page = String::from("<!doctype html><meta charset=utf-8><style>");
    for font in web_fonts() {
        page.push_str(&format!(
            "@font-face{{font-family:Inter;font-weight:{};src:url(data:font/woff2;base64,{});unicode-range:{}}}",
            font.weight,
            STANDARD.encode(font.woff2),
            font.unicode_range
        ));
    }
    page.push_str(
        "section>div{display:inline-block} section>div>svg{max-width:none!important} \
         img{display:none}</style>",
    );
    let all = labelled_diagrams();
    assert!(all.len() >= 200 + mermend::kinds::KINDS.len());
    for (name, code) in &all {
        let drawing = Drawing::new(code, PictureOptions::default(), &Deadline::none())
            .unwrap_or_else(|error| panic!("{name}: {error}\n{code}"));
        let inline = drawing.svg_for_page().expect("an SVG");
        let alone = drawing.svg().expect("an SVG");
        let pixels = drawing.png(drawing.png_size(2.0), &Deadline::none()).expect("a PNG");
        let size: Vec<&str> = inline
            .split("viewBox=\"")
            .nth(1)
            .and_then(|rest| rest.split('"').next())
            .expect("a viewBox")
            .split_whitespace()
            .collect();
        let (alone, pixels) = (STANDARD.encode(alone), STANDARD.encode(pixels));
        page.push_str(&format!(
            "<section data-name=\"{name}\" data-svg=\"data:image/svg+xml;base64,{alone}\">\
             <div style=\"width:{}px\">{inline}</div><img src=\"data:image/png;base64,{pixels}\"></section>",
            size[2]
        ));
    }
    let file = folder.path().join("pictures.html");
    std::fs::write(&file, page).expect("written");
    client.goto(&format!("file://{}", file.display())).await.expect("the page");
    let faults = client.execute_async(INSPECT_PICTURES, vec![]).await.expect("a script");
    client.close().await.expect("closed");
    let faults: Vec<String> = serde_json::from_value(faults).expect("a list");
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
