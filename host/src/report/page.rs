//! The page: one file that needs no other, in the reader's light or dark theme.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use super::record::{Agreement, Check, Record, Table};
use super::short;

const STYLE: &str = include_str!("page.css");

/// The page of all records; `folder` holds their plots.
pub(super) fn html(records: &[Record], folder: &Path) -> String {
    let checks = records.iter().flat_map(|record| &record.checks);
    let (count, holding) = (checks.clone().count(), checks.filter(|check| check.holds).count());
    let experiments = match records.len() {
        1 => "1 experiment".into(),
        n => format!("{n} experiments"),
    };
    let mut page = format!(
        r#"<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Quern: claims and verdicts</title>
<style>{STYLE}</style>
</head>
<body>
<header>
<h1>Claims and verdicts</h1>
<p class="muted">{experiments}, {holding} of {count} checks hold. All figures as data: <a href="report.json">report.json</a></p>
"#
    );
    if records.len() > 1 {
        page += "<nav aria-label=\"Experiments\"><ul>\n";
        for record in records {
            let (slug, title) = (escape(&record.slug), escape(&record.title));
            page += &format!("<li><a href=\"#{slug}\">{title}</a>{}</li>\n", badge(record));
        }
        page += "</ul></nav>\n";
    }
    page += "</header>\n<main>\n";
    for record in records {
        section(&mut page, record, folder);
    }
    page += "</main>\n<footer class=\"muted\">Written by quern ";
    page += env!("CARGO_PKG_VERSION");
    page += ". Each section says the scale and the seed that give its figures again.</footer>\n</body>\n</html>\n";
    page
}

/// Text that a browser shows as it is.
pub(super) fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn badge(record: &Record) -> String {
    let holding = record.checks.iter().filter(|check| check.holds).count();
    let class = if record.holds() { "badge" } else { "badge bad" };
    format!("<span class=\"{class}\">{holding} of {} hold</span>", record.checks.len())
}

fn section(page: &mut String, record: &Record, folder: &Path) {
    let (slug, title) = (escape(&record.slug), escape(&record.title));
    *page += &format!(
        r#"<section id="{slug}">
<div class="head"><div><h2>{title}</h2>
<p class="muted">{slug} · scale {} · seed {} · {} s</p></div>{}</div>
"#,
        escape(&record.scale),
        record.seed,
        short((record.seconds * 10.0).round() / 10.0),
        badge(record)
    );
    if let Some(agreement) = &record.agreement {
        agree(page, agreement);
    }
    if !record.plots.is_empty() {
        *page += "<div class=\"figures\">\n";
        for plot in &record.plots {
            let name = escape(&plot.name);
            *page += "<figure>\n";
            match fs::read_to_string(folder.join(&record.slug).join(format!("{}.svg", plot.name))) {
                Ok(drawing) => *page += &drawing,
                Err(_) => *page += &format!("<p>{}</p>", escape(&plot.title)),
            }
            *page += "<figcaption>";
            for (kind, label) in [("svg", "SVG"), ("png", "PNG"), ("curves.csv", "CSV")] {
                *page += &format!("<a href=\"{slug}/{name}.{kind}\">{label}</a>");
            }
            *page += "</figcaption>\n</figure>\n";
        }
        *page += "</div>\n";
    }
    if !record.checks.is_empty() {
        *page += "<h3>What is claimed, and what was measured</h3>\n<table class=\"checks\">\n<thead><tr><th>Claim and check</th>\
                  <th class=\"number\">Measured</th><th>Bound</th><th>Verdict</th></tr></thead>\n<tbody>\n";
        for claim in tested(record) {
            *page += &format!("<tr class=\"claim\"><td colspan=\"4\">{}</td></tr>\n", escape(claim));
            record.checks.iter().filter(|check| check.claim == claim).for_each(|check| row(page, check));
        }
        *page += "</tbody></table>\n";
    }
    let untested: Vec<_> =
        record.claims.iter().filter(|claim| !tested(record).contains(&claim.as_str())).collect();
    if !untested.is_empty() {
        *page += "<h3>Claimed, and not tested in this run</h3>\n<ul class=\"claims\">\n";
        for claim in untested {
            *page += &format!("<li>{}</li>\n", escape(claim));
        }
        *page += "</ul>\n";
    }
    if !record.tables.is_empty() {
        *page += "<h3>Tables</h3>\n";
        record.tables.iter().for_each(|table| fold(page, table, &slug));
    }
    *page += "</section>\n";
}

fn agree(page: &mut String, agreement: &Agreement) {
    let (class, verdict) = match (agreement.digests.len(), agreement.equal) {
        (0 | 1, _) => ("agreement bad", "It did not run in two places: nothing to compare"),
        (_, true) => ("agreement", "Every place gives the same bits"),
        (_, false) => ("agreement bad", "The places do not give the same bits"),
    };
    *page += &format!("<div class=\"{class}\"><p>{verdict}</p><dl>");
    for digest in &agreement.digests {
        *page += &format!("<dt>{}</dt><dd>{}</dd>", escape(&digest.place), escape(&digest.hash));
    }
    *page += "</dl></div>\n";
}

/// The claims that checks test, each once, in the order of the checks.
fn tested(record: &Record) -> Vec<&str> {
    let mut claims: Vec<&str> = Vec::new();
    for check in &record.checks {
        if !claims.contains(&check.claim.as_str()) {
            claims.push(&check.claim);
        }
    }
    claims
}

fn row(page: &mut String, check: &Check) {
    let measured = check.measured.map_or_else(|| "not a finite number".into(), short);
    let remark = match &check.remark {
        Some(remark) => format!("<div class=\"remark\">{}</div>", escape(remark)),
        None => String::new(),
    };
    let (class, verdict) =
        if check.holds { ("verdict", "✓ holds") } else { ("verdict bad", "✗ does not hold") };
    *page += &format!(
        "<tr><td><div class=\"name\">{}</div>{remark}</td><td class=\"number\" data-heading=\"Measured\">{measured}</td>\
         <td data-heading=\"Bound\">{}</td><td class=\"{class}\">{verdict}</td></tr>\n",
        escape(&check.name),
        escape(&check.bound)
    );
}

fn fold(page: &mut String, table: &Table, slug: &str) {
    let open = if table.rows.len() <= 15 { " open" } else { "" };
    let numeric: Vec<bool> = (0..table.columns.len())
        .map(|column| table.rows.iter().all(|row| row.get(column).is_some_and(|cell| !cell.is_string())))
        .collect();
    let class = |column: usize| match numeric.get(column) {
        Some(true) => " class=\"number\"",
        _ => "",
    };
    *page += &format!(
        "<details{open}><summary>{} (<a href=\"{slug}/{}.csv\">CSV</a>)</summary>\n<div class=\"scroll\"><table><thead><tr>",
        escape(&table.title),
        escape(&table.name)
    );
    for (i, heading) in table.columns.iter().enumerate() {
        let _ = write!(page, "<th{}>{}</th>", class(i), escape(heading));
    }
    *page += "</tr></thead>\n<tbody>\n";
    for cells in &table.rows {
        *page += "<tr>";
        for (i, cell) in cells.iter().enumerate() {
            let text = match cell {
                serde_json::Value::String(text) => escape(text),
                serde_json::Value::Number(number) => {
                    number.as_f64().map_or_else(|| number.to_string(), short)
                }
                _ => "–".into(),
            };
            let _ = write!(page, "<td{}>{text}</td>", class(i));
        }
        *page += "</tr>\n";
    }
    *page += "</tbody></table></div></details>\n";
}
