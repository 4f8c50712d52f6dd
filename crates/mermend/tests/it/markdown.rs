//! Diagrams in Markdown and MDX: which are found, where they are, and how others are written in their place.

use std::path::Path;

use mermend::{BlockProblem, Checker, DiagramIndex, Finding, TextFormat, diagrams, replace_diagrams};
use proptest::prelude::*;
use pulldown_cmark::{CodeBlockKind, Event, Parser, Tag, TagEnd};

/// What, whether it is MDX, the text, and the diagrams that a renderer draws.
const CASES: &[(&str, bool, &str, &[&str])] = &[
    ("a plain fence", false, "# A\n\n```mermaid\npie\n\"a\" : 1\n```\n", &["pie\n\"a\" : 1\n"]),
    ("tildes with a blank before the word", false, "~~~ mermaid\npie\n~~~\n", &["pie\n"]),
    ("four ticks, three inside", false, "````mermaid\npie\n```\n````\n", &["pie\n```\n"]),
    ("a longer closing mark", false, "```mermaid\npie\n`````\ntext", &["pie\n"]),
    ("a closing mark of the other sort", false, "```mermaid\npie\n~~~\n```\n", &["pie\n~~~\n"]),
    ("attributes in the info string", false, "```mermaid {theme: dark} title=\"x\"\npie\n```\n", &["pie\n"]),
    ("pandoc's attributes", false, "```{#fig .mermaid}\npie\n```\n", &["pie\n"]),
    ("Quarto", false, "```{mermaid}\n%%| label: fig\npie\n```\n", &["%%| label: fig\npie\n"]),
    ("MyST with options", false, "```{mermaid}\n:caption: Text\n:align: center\n\npie\n```\n", &["pie\n"]),
    ("capitals", false, "```Mermaid\npie\n```\n", &["pie\n"]),
    ("another language", false, "```mermaidjs-config\nx\n```\n```js\nmermaid\n```\n", &[]),
    ("a tick in the info string is inline code", false, "```mermaid `x`\npie\n", &[]),
    ("an indented fence", false, "   ```mermaid\n   pie\n     x\n   ```\n", &["pie\n  x\n"]),
    ("a fence indented more than its content", false, "  ```mermaid\npie\n  ```\n", &["pie\n"]),
    ("a bullet list", false, "- a\n\n  ```mermaid\n  pie\n    x\n  ```\n- b\n", &["pie\n  x\n"]),
    ("on the line of the bullet", false, "* ```mermaid\n  pie\n  ```\n", &["pie\n"]),
    ("a numbered list", false, "10. a\n\n    ```mermaid\n    pie\n    ```\n", &["pie\n"]),
    ("a list with tabs", false, "1.\ta\n\n\t```mermaid\n\tpie\n\t\tx\n\t```\n", &["pie\n\tx\n"]),
    ("a bullet and half a tab", false, "- a\n\n\t```mermaid\n\tpie\n\t```\n", &["pie\n"]),
    (
        "nested lists",
        false,
        "- a\n  - b\n    1. c\n\n       ```mermaid\n       pie\n       ```\n",
        &["pie\n"],
    ),
    ("blank lines in a fence in a list", false, "- ```mermaid\n  pie\n\n  x\n  ```\n", &["pie\n\nx\n"]),
    ("a lazy line before the fence", false, "- a\nlazy\n  ```mermaid\n  pie\n  ```\n", &["pie\n"]),
    ("a quote", false, "> ```mermaid\n> pie\n>   x\n>\n> y\n> ```\n", &["pie\n  x\n\ny\n"]),
    ("a quote without blanks", false, ">```mermaid\n>pie\n>```\n", &["pie\n"]),
    ("quotes in a quote", false, "> > ```mermaid\n> > pie\n>> x\n> > ```\n", &["pie\nx\n"]),
    ("a list in a quote", false, "> - a\n>\n>   ```mermaid\n>   pie\n>   ```\n", &["pie\n"]),
    ("a quote in a list", false, "1. a\n   > ```mermaid\n   > pie\n   > ```\n", &["pie\n"]),
    ("a callout", false, "> [!note] Title\n> ```mermaid\n> pie\n> ```\n", &["pie\n"]),
    ("an arrow is no quote", false, "```mermaid\n> pie\n```\n", &["> pie\n"]),
    ("a quote that ends before its fence", false, "> ```mermaid\n> pie\n\ntext\n```js\nx\n```\n", &["pie\n"]),
    ("a list that ends before its fence", false, "- ```mermaid\n  pie\n\n# H\n", &["pie\n\n"]),
    ("only shown in ticks", false, "````md\n```mermaid\npie\n```\n````\n", &[]),
    ("only shown in tildes", false, "~~~text\n```mermaid\npie\n```\n~~~\n", &[]),
    ("only shown in a quote", false, "> ````\n> ```mermaid\n> pie\n> ```\n> ````\n", &[]),
    ("indented code", false, "text\n\n    ```mermaid\n    pie\n    ```\n", &[]),
    ("indented code by a tab", false, "text\n\n\t```mermaid\n\tpie\n\t```\n", &[]),
    ("indented code in a list", false, "- a\n\n      ```mermaid\n      pie\n      ```\n", &[]),
    ("indented code in a quote", false, ">     ```mermaid\n>     pie\n>     ```\n", &[]),
    ("a paragraph goes on", false, "text\n    ```mermaid\n    pie\n", &[]),
    ("a fence interrupts a paragraph", false, "text\n```mermaid\npie\n```\n", &["pie\n"]),
    ("a comment", false, "<!--\n```mermaid\npie\n```\n-->\n\n```mermaid\ngantt\n```\n", &["gantt\n"]),
    ("a comment on one line", false, "<!-- a -->\n```mermaid\npie\n```\n", &["pie\n"]),
    ("pre shows", false, "<pre>\n```mermaid\npie\n```\n</pre>\n", &[]),
    ("details", false, "<details>\n<summary>S</summary>\n\n```mermaid\npie\n```\n\n</details>\n", &["pie\n"]),
    ("details without a blank line", false, "<details>\n```mermaid\npie\n```\n</details>\n", &["pie\n"]),
    ("a JSX tag before", true, "<Tabs>\n  <Tab>\n```mermaid\npie\n```\n  </Tab>\n</Tabs>\n", &["pie\n"]),
    ("deep in JSX", true, "<Tabs>\n    <Tab>\n\n      ```mermaid\n      pie\n      ```\n", &["pie\n"]),
    (
        "a quote deep in JSX",
        true,
        "<Tab>\n      > ```mermaid\n      > pie\n      > ```\n</Tab>\n",
        &["pie\n"],
    ),
    ("a JSX comment", true, "{/*\n```mermaid\npie\n```\n*/}\n\n```mermaid\ngantt\n```\n", &["gantt\n"]),
    ("Azure DevOps", false, "::: mermaid\npie\n\n    x\n:::\n", &["pie\n\n    x\n"]),
    ("a container of Docusaurus", false, ":::note\n\n```mermaid\npie\n```\n\n:::\n", &["pie\n"]),
    ("such a container without blank lines", false, ":::tip Title\n```mermaid\npie\n```\n:::\n", &["pie\n"]),
    ("an admonition of MkDocs", false, "!!! note \"A\"\n\n    ```mermaid\n    pie\n    ```\n", &["pie\n"]),
    ("details of MkDocs", false, "???+ note\n    ```mermaid\n    pie\n    ```\n", &["pie\n"]),
    ("a tab of MkDocs", false, "=== \"A\"\n\n    ```mermaid\n    pie\n    ```\n", &["pie\n"]),
    ("a footnote", false, "x[^1]\n\n[^1]: a\n\n    ```mermaid\n    pie\n    ```\n", &["pie\n"]),
    ("a heading with an underline is no tab", false, "A\n===\n\n    ```mermaid\n    pie\n    ```\n", &[]),
    ("a rule of dashes is no list", false, "- - -\n\n      ```mermaid\n      pie\n      ```\n", &[]),
    ("a byte order mark", false, "\u{feff}```mermaid\npie\n```\n", &["pie\n"]),
    ("Windows line ends", false, "- a\r\n\r\n  ```mermaid\r\n  pie\r\n  ```\r\n", &["pie\r\n"]),
    ("never closed", false, "```mermaid\npie\n\nx", &["pie\n\nx"]),
    ("empty and closed", false, "```mermaid\n```\n", &[""]),
    (
        "front matter in a list",
        false,
        "- ```mermaid\n  ---\n  title: T\n  ---\n  pie\n  ```\n",
        &["---\ntitle: T\n---\npie\n"],
    ),
    ("front matter of the page", false, "---\ntitle: x\n---\n\n```mermaid\npie\n```\n", &["pie\n"]),
    ("pre with the class", false, "<pre class=\"mermaid\">\n  pie\n    x\n</pre>\n", &["pie\n  x\n"]),
    ("pre on one line", false, "<pre class='big mermaid' id=a>pie</pre>\n", &["pie"]),
    (
        "div with the class and references",
        false,
        "<div class=\"mermaid\">\na --&gt; b\n</div>\n",
        &["a --> b\n"],
    ),
    ("pre in a fence", false, "```html\n<pre class=\"mermaid\">\npie\n</pre>\n```\n", &[]),
    ("a component with a template", true, "<Mermaid chart={`\n  pie\n    x\n`} />\n", &["pie\n  x\n"]),
    ("a component on several lines", true, "<Mermaid\n  value={`pie\nx<br/>`}\n/>\n", &["pie\nx<br/>"]),
    ("a component around a template", true, "<Mermaid>{`\npie\n`}</Mermaid>\n", &["pie\n"]),
    ("a component behind a tag", true, "<Tab><Mermaid chart={`pie`} /></Tab>\n", &["pie"]),
    ("a component in an expression", true, "{show && <Mermaid chart={`pie`} />}\n", &["pie"]),
    ("a component in inline code", false, "Use `<Mermaid>` or ` ```mermaid `.\n", &[]),
    ("a task list", false, "- [ ] a\n\n  ```mermaid\n  pie\n  ```\n", &["pie\n"]),
    (
        "a list in a quote in a list",
        false,
        "+ a\n  > b\n  >\n  > - ```mermaid\n  >   pie\n  >   ```\n",
        &["pie\n"],
    ),
    ("below a table", false, "| a |\n|---|\n| b |\n```mermaid\npie\n```\n", &["pie\n"]),
    (
        "in a cell of HTML",
        false,
        "<table><tr><td>\n\n```mermaid\npie\n```\n\n</td></tr></table>\n",
        &["pie\n"],
    ),
    ("between tags of Liquid", false, "{% raw %}\n```mermaid\npie\n```\n{% endraw %}\n", &["pie\n"]),
    ("tabs in the code", false, "```mermaid\n\tpie\n```\n", &["\tpie\n"]),
    ("callouts in callouts", false, "> [!a]\n> > [!b]\n> > ```mermaid\n> > pie\n> > ```\n", &["pie\n"]),
    ("less indented than its item", false, "1) a\n  ```mermaid\n  pie\n  ```\n", &["pie\n"]),
    (
        "two in one item",
        false,
        "- a\n  ```mermaid\n  pie\n  ```\n  ~~~mermaid\n  x\n  ~~~\n",
        &["pie\n", "x\n"],
    ),
    ("a component only shown", true, "````mdx\n<Mermaid chart={`pie`}/>\n````\n", &[]),
    ("pre in indented code", false, "a\n\n    <pre class=\"mermaid\">pie</pre>\n", &[]),
    ("Mermaid as the second word", false, "```text mermaid\npie\n```\n", &[]),
    ("four tildes, three inside", false, "~~~~mermaid\npie\n~~~\n~~~~\n", &["pie\n~~~\n"]),
    ("Windows line ends in a quote", false, "> ```mermaid\r\n> pie\r\n> ```\r\n", &["pie\r\n"]),
    ("a quote in a footnote", false, "[^a]: x\n    > ```mermaid\n    > pie\n    > ```\n", &["pie\n"]),
    (
        "lists by four blanks",
        false,
        "1. a\n    1. b\n\n        ```mermaid\n        pie\n        ```\n",
        &["pie\n"],
    ),
    ("a bullet and four blanks", false, "* a\n\n    ```mermaid\n    pie\n    ```\n", &["pie\n"]),
    ("an indented comment", false, "  <!-- x\n```mermaid\npie\n```\n  -->\n", &[]),
    ("below imports", true, "import X from 'x'\n\n```mermaid\npie\n```\n", &["pie\n"]),
    (
        "an admonition in a list",
        false,
        "- a\n\n    !!! note\n\n        ```mermaid\n        pie\n        ```\n",
        &["pie\n"],
    ),
    (
        "a list in an admonition",
        false,
        "??? note\n    - a\n\n      ```mermaid\n      pie\n      ```\n",
        &["pie\n"],
    ),
    ("a pre within a list", false, "- a\n\n  <pre class=\"mermaid\">\n  pie\n  </pre>\n", &["pie\n"]),
    (
        "an unclosed fence before another",
        false,
        "```mermaid\npie\n\n```mermaid\nx\n```\n",
        &["pie\n\n```mermaid\nx\n"],
    ),
    ("an opening mark with blanks behind", false, "```mermaid  \npie\n```  \n", &["pie\n"]),
    (
        "a list that is left by a heading",
        false,
        "- ```mermaid\n  pie\n# H\n\n    ```mermaid\n    x\n",
        &["pie\n"],
    ),
    ("AsciiDoc with a fence", false, "= Title\n\n.Figure\n```mermaid\npie\n```\n", &["pie\n"]),
    ("AsciiDoc's listing", false, "[source,text]\n----\npie\n----\n", &[]),
];

fn format(mdx: bool) -> TextFormat {
    if mdx { TextFormat::Mdx } else { TextFormat::Markdown }
}

#[test]
fn diagrams_are_found_as_a_renderer_reads_them() {
    let mut wrong = Vec::new();
    for (what, mdx, text, expected) in CASES {
        let found = diagrams(text, format(*mdx));
        let codes: Vec<&str> =
            found.iter().filter(|block| block.is_mermaid()).map(|block| block.code()).collect();
        if codes != *expected {
            wrong.push(format!("{what}: {codes:?}, expected {expected:?}"));
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), CASES.len(), wrong.join("\n"));
}

#[test]
fn code_is_written_with_the_marks_and_line_ends_of_its_place() {
    let cases: &[(&str, &str, &str, Option<&str>)] = &[
        ("```mermaid\npie\nx\n```\n", "x\n", "y\nz\n", Some("```mermaid\npie\ny\nz\n```\n")),
        (
            "> ```mermaid\n> pie\n>\n> x\n> ```\n",
            "x",
            "y\n\n  z",
            Some("> ```mermaid\n> pie\n>\n> y\n>\n>   z\n> ```\n"),
        ),
        (">```mermaid\n>pie\n> x\n>```\n", "pie", "a\nb", Some(">```mermaid\n>a\n>b\n> x\n>```\n")),
        (
            "- ```mermaid\n  pie\n\n  x\n  ```\n",
            "\n\n",
            "\nq\n",
            Some("- ```mermaid\n  pie\n  q\n  x\n  ```\n"),
        ),
        (
            "1.\ta\n\n\t```mermaid\n\tpie\n\t```\n",
            "pie\n",
            "pie\nx\n",
            Some("1.\ta\n\n\t```mermaid\n\tpie\n\tx\n\t```\n"),
        ),
        (
            "> - ```mermaid\n>   pie\n>   ```\n",
            "pie",
            "a\nb",
            Some("> - ```mermaid\n>   a\n>   b\n>   ```\n"),
        ),
        (
            "```mermaid\r\npie\r\nx\r\n```\r\n",
            "\r\nx\r\n",
            "\na\nb\n",
            Some("```mermaid\r\npie\r\na\r\nb\r\n```\r\n"),
        ),
        ("```mermaid\npie\r\nx\n```", "x", "y", Some("```mermaid\npie\r\ny\n```")),
        ("\u{feff}```mermaid\npie\n```\n", "pie", "a", Some("\u{feff}```mermaid\na\n```\n")),
        // What follows may not belong to the diagram.
        ("a\n```mermaid\npie", "pie", "x", None),
        ("> ```mermaid\n> pie\n\ntext", "pie", "x", None),
        ("<div class=mermaid>\npie\n\ntext", "pie", "x", None),
        (
            "<pre class=\"mermaid\">\n  pie\n    x\n</pre>\n",
            "x",
            "y\n\n  z",
            Some("<pre class=\"mermaid\">\n  pie\n    y\n\n    z\n</pre>\n"),
        ),
        ("<Mermaid chart={`\n  pie\n`}/>\n", "pie", "a\nb", Some("<Mermaid chart={`\n  a\n  b\n`}/>\n")),
        (
            "```mermaid\npie\n```\n~~~mermaid\nx\n~~~\n",
            "x",
            "y",
            Some("```mermaid\npie\n```\n~~~mermaid\ny\n~~~\n"),
        ),
        // What would be read back as something else is not written.
        ("```mermaid\npie\n```\n", "pie", "```", None),
        ("<Mermaid chart={`pie`}/>\n", "pie", "`", None),
        ("<pre class=mermaid>pie</pre>\n", "pie", "</pre>", None),
        ("<pre class=mermaid>a &lt; b</pre>\n", "a", "c", None),
    ];
    for (text, from, to, expected) in cases {
        let changes: Vec<_> = diagrams(text, TextFormat::Markdown)
            .into_iter()
            .map(|block| (block.clone(), block.code().replace(from, to)))
            .collect();
        let written = replace_diagrams(text, TextFormat::Markdown, &changes);
        assert_eq!(written.as_deref(), *expected, "{text:?}");
    }
}

#[test]
fn a_file_of_one_diagram_keeps_its_mark_and_its_line_ends() {
    let text = "\u{feff}pie\r\n\"a\" : 1";
    let block = &diagrams(text, TextFormat::Mermaid)[0];
    assert_eq!(block.code(), "pie\r\n\"a\" : 1");
    let written =
        replace_diagrams(text, TextFormat::Mermaid, &[(block.clone(), "pie\n\"b\" : 1\n\"c\" : 2\n".into())]);
    assert_eq!(written.as_deref(), Some("\u{feff}pie\r\n\"b\" : 1\r\n\"c\" : 2"));
}

/// The findings of the only diagram, in the whole text.
fn findings(text: &str, format: TextFormat) -> Vec<Finding> {
    let (index, found) = (DiagramIndex::new(text), diagrams(text, format));
    assert_eq!(found.len(), 1, "{text:?}");
    let checked = Checker::default().check(found[0].code());
    let placed = checked.findings.into_iter().map(|finding| index.place(&found[0], finding));
    index.problem(&found[0]).into_iter().chain(placed).collect()
}

#[test]
fn findings_and_fixes_are_placed_in_the_whole_text() {
    let code = ["flowchart TD", "  A[run()] --> B"];
    for (before, marks, after, line, column) in [
        ("# Ü\n```mermaid\n", "", "```\n", 4, 5),
        ("\u{feff}```mermaid\n", "", "```\n", 3, 5),
        ("> ```mermaid\n", "> ", "> ```\n", 3, 7),
        ("- ä\n\n\t> ```mermaid\n", "\t> ", "\t> ```\n", 5, 8),
        ("1. > ~~~ mermaid\n", "   > ", "   > ~~~\n", 3, 10),
        ("<Mermaid\n  chart={`\n", "    ", "  `} />\n", 4, 9),
    ] {
        let text = format!("{before}{marks}{}\n{marks}{}\n{after}", code[0], code[1]);
        let findings = findings(&text, TextFormat::Mdx);
        let finding = findings.iter().find(|finding| finding.fix.is_some()).expect("a finding with a fix");
        assert_eq!((finding.span.line, finding.span.column), (line, column), "{text:?}");
        assert!(text[finding.span.start..].starts_with("run()"), "{text:?} {finding:?}");
        let mut fixed = text.clone();
        for edit in finding.fix.iter().flat_map(|fix| &fix.edits).rev() {
            fixed.replace_range(edit.start..edit.end, &edit.text);
        }
        assert_eq!(fixed, text.replace("run()", "\"run()\""));
    }
    let text = "<pre class=\"mermaid\">\nflowchart TD\n  A &lt;--&gt; B[run()] --&gt; C\n</pre>\n";
    let findings = findings(text, TextFormat::Markdown);
    assert!(findings.iter().all(|finding| finding.fix.is_none() && finding.span.line == 3), "{findings:?}");
    assert!(findings.iter().any(|finding| text[finding.span.start..].starts_with("run()")), "{findings:?}");
}

#[test]
fn what_is_unclosed_or_cannot_be_read_is_reported() {
    for (text, code, line) in [
        ("a\n```mermaid\npie\n\"a\" : 1\n", Some("MMD090"), 2),
        ("> ```mermaid\n> pie\n\ntext\n", Some("MMD090"), 1),
        ("```js\nx\n\n```mermaid\npie\n", Some("MMD090"), 1),
        ("<pre class=\"mermaid\">\npie\n", Some("MMD090"), 1),
        ("\n\n<Mermaid chart={chart} />\n", Some("MMD091"), 3),
        ("<Mermaid chart={`pie ${x}`} />\n", Some("MMD091"), 1),
        ("<Mermaid>\ngraph TD\n</Mermaid>\n", Some("MMD091"), 1),
        ("> <pre class=\"mermaid\">pie</pre>\n", Some("MMD091"), 1),
        ("<pre class=\"mermaid\">a &frac12; b</pre>\n", Some("MMD091"), 1),
        ("```mermaid\npie\n```", None, 0),
    ] {
        let blocks = diagrams(text, TextFormat::Mdx);
        let problem = DiagramIndex::new(text).problem(&blocks[0]);
        let seen = problem.as_ref().map(|finding| (finding.code.as_str(), finding.span.line));
        assert_eq!((blocks.len(), seen), (1, code.map(|code| (code, line))), "{text:?}");
        let skipped = matches!(blocks[0].problem(), Some(BlockProblem::Skipped(_)));
        assert_eq!(skipped, code == Some("MMD091"), "{text:?}");
    }
    assert!(diagrams("```js\nx\n", TextFormat::Markdown).is_empty(), "an unclosed fence without a diagram");
}

#[test]
fn the_format_is_known_by_name_and_by_content() {
    use TextFormat::{Markdown, Mdx, Mermaid};
    for (name, format) in [
        ("a.md", Some(Markdown)),
        ("a.MD", Some(Markdown)),
        ("b/a.qmd", Some(Markdown)),
        ("a.mdx", Some(Mdx)),
        ("a.mmd", Some(Mermaid)),
        ("a.Mermaid", Some(Mermaid)),
        ("a.txt", None),
        ("md", None),
    ] {
        assert_eq!(TextFormat::from_path(Path::new(name)), format, "{name}");
    }
    for (text, format) in [
        ("# T\n\n```mermaid\npie\n```\n", Markdown),
        ("```mermaid\npie\n```\n", Markdown),
        ("Here it is:\n> ```mermaid\n> pie\n> ```\n", Markdown),
        ("---\ntitle: x\n---\n# T\n\ntext\n", Markdown),
        ("<pre class=\"mermaid\">\npie\n</pre>\n", Markdown),
        ("", Mermaid),
        ("pie\n  \"a\" : 1\n", Mermaid),
        ("---\ntitle: x\n---\nflowchart TD\n  A --> B\n", Mermaid),
        ("flowchart TD\n  A --> B\n```mermaid\n", Mermaid),
        // A comment in another manner above a diagram is a fault, not a heading.
        ("# comment\nflowchart TD\n  A --> B\n", Mermaid),
        ("flowchrt TD\n  A --> B\n", Mermaid),
    ] {
        assert_eq!(TextFormat::detect(text), format, "{text:?}");
    }
}

/// The Mermaid fences as pulldown-cmark reads them.
fn fences_of_commonmark(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut open: Option<String> = None;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) if info.trim() == "mermaid" => {
                open = Some(String::new());
            }
            Event::Text(text) => open.iter_mut().for_each(|code| code.push_str(&text)),
            Event::End(TagEnd::CodeBlock) => found.extend(open.take()),
            _ => {}
        }
    }
    found
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    /// Quotes, lists, fences, comments and paragraphs within each other are read as by a CommonMark parser, and what is
    /// written back unchanged is the text.
    #[test]
    fn the_structure_is_that_of_commonmark(
        lines in proptest::collection::vec(
            "(> |>|- |1\\. |2\\) | {1,6}|\t|-\t){0,3}\
             (```mermaid|~~~ mermaid|```|~~~|````|text|x|||===|---|# h|-|<!-- c|-->|<pre>|x</pre>)",
            1..9,
        ),
    ) {
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        // pulldown-cmark takes an indented `>` for the mark of a quote that is open already.
        prop_assume!(!text.contains("\t>") && !text.contains("    >"));
        let words = |code: &str| {
            let lines: Vec<String> =
                code.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            lines.join("\n").trim_end().to_owned()
        };
        let blocks: Vec<_> =
            diagrams(&text, TextFormat::Markdown).into_iter().filter(|block| block.is_mermaid()).collect();
        let codes: Vec<String> = blocks.iter().map(|block| words(block.code())).collect();
        let expected: Vec<String> = fences_of_commonmark(&text).iter().map(|code| words(code)).collect();
        prop_assert_eq!(codes, expected);
        for block in blocks.into_iter().filter(|block| block.problem().is_none() && !block.code().is_empty()) {
            let code = block.code().to_owned();
            let written = replace_diagrams(&text, TextFormat::Markdown, &[(block, code)]);
            prop_assert_eq!(written.as_deref(), Some(text.as_str()));
        }
    }
}
