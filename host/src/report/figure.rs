//! Plots, drawn once for both formats: SVG that follows the reader's light or dark theme, and PNG.

use anyhow::{Context, Result, anyhow};
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{FontStyle, register_font};

use crate::experiments::{Plot, PlotKind, Series};

use super::axis::Range;

/// Units across. Small enough for labels to stay legible on a phone.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 330.0;
const LETTER: f64 = 13.0;
const LINE: f64 = 18.0;
const MARGIN: f64 = 14.0;

/// A colour on paper, and its counterpart in the dark.
struct Shade {
    light: RGBColor,
    dark: &'static str,
}

const fn shade(red: u8, green: u8, blue: u8, dark: &'static str) -> Shade {
    Shade { light: RGBColor(red, green, blue), dark }
}

const PAPER: Shade = shade(0xff, 0xff, 0xff, "#171b20");
const INK: Shade = shade(0x1d, 0x23, 0x29, "#e7ebef");
const MUTED: Shade = shade(0x5a, 0x64, 0x6e, "#a5afb9");
const GRID: Shade = shade(0xde, 0xe3, 0xe8, "#343c44");
const PALETTE: [Shade; 8] = [
    shade(0x0b, 0x63, 0xa5, "#6db3f2"),
    shade(0xc8, 0x50, 0x0a, "#ff9a52"),
    shade(0x0a, 0x7d, 0x5a, "#4fd1a0"),
    shade(0xa3, 0x48, 0x8c, "#e39bd0"),
    shade(0x7a, 0x6a, 0x00, "#d8c64a"),
    shade(0xc2, 0x2f, 0x45, "#ff7b8a"),
    shade(0x0b, 0x8a, 0x99, "#5fd0de"),
    shade(0x55, 0x60, 0x6e, "#b9c4cf"),
];

fn colour(series: usize) -> RGBColor {
    PALETTE[series % PALETTE.len()].light
}

/// The plot as SVG.
pub(super) fn svg(plot: &Plot) -> Result<String> {
    // The backend's coordinates are whole numbers: a finer grid keeps curves smooth.
    const SCALE: f64 = 4.0;
    let layout = Layout::new(plot)?;
    let (width, height) = layout.pixels(SCALE);
    let mut text = String::new();
    draw(plot, &layout, SVGBackend::with_string(&mut text, (width, height)), SCALE, 0.0)?;
    let opening = format!(r#"<svg width="{width}" height="{height}" "#);
    let body = text.strip_prefix(&opening).context("unexpected opening of the drawing")?;
    let (attributes, body) = body.split_once('>').context("unexpected opening of the drawing")?;
    let (width, height) = layout.pixels(1.0);
    let title = super::page::escape(&plot.title);
    Ok(format!(
        r#"<svg width="{width}" height="{height}" role="img" {attributes}><title>{title}</title>{}{body}"#,
        style()
    ))
}

/// Recolours for readers who prefer the dark.
fn style() -> String {
    let mut rules = String::new();
    for Shade { light: RGBColor(red, green, blue), dark } in
        [&PAPER, &INK, &MUTED, &GRID].into_iter().chain(&PALETTE)
    {
        let light = format!("#{red:02X}{green:02X}{blue:02X}");
        rules += &format!(r#"svg [fill="{light}"]{{fill:{dark}}}svg [stroke="{light}"]{{stroke:{dark}}}"#);
    }
    format!("<style>@media (prefers-color-scheme:dark){{{rules}}}</style>")
}

/// The plot as PNG, two pixels a unit.
pub(super) fn png(plot: &Plot) -> Result<Vec<u8>> {
    const SCALE: u32 = 2;
    const FINER: u32 = 3;
    let layout = Layout::new(plot)?;
    let (width, height) = layout.pixels(f64::from(SCALE * FINER));
    let mut fine = vec![0_u8; (width * height * 3) as usize];
    let backend = BitMapBackend::with_buffer(&mut fine, (width, height));
    draw(plot, &layout, backend, f64::from(SCALE * FINER), 2.2)?;
    // The backend does not smooth edges: the mean of each block of fine pixels does.
    let (columns, rows) = (width / FINER, height / FINER);
    let mut pixels = Vec::with_capacity((columns * rows * 3) as usize);
    for (row, column) in (0..rows).flat_map(|row| (0..columns).map(move |column| (row, column))) {
        for channel in 0..3 {
            let block = (0..FINER * FINER).map(|i| {
                let (y, x) = (row * FINER + i / FINER, column * FINER + i % FINER);
                u32::from(fine[((y * width + x) * 3 + channel) as usize])
            });
            pixels.push((block.sum::<u32>() / (FINER * FINER)) as u8);
        }
    }
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, columns, rows);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(bytes)
}

/// What stands where, in units; y grows downwards.
struct Layout {
    height: f64,
    title: Vec<String>,
    /// Entries of the legend with the corner each begins at.
    legend: Vec<(usize, f64, f64)>,
    /// Where the label above the frame stands, and both labels' texts.
    caption: f64,
    above: String,
    below: String,
    frame: Frame,
    /// Along the positions (across), and along the values (up). Lying bars exchange them.
    positions: Range,
    values: Range,
    lying: bool,
    /// Names below the frame are turned where they would touch.
    turned: bool,
}

#[derive(Clone, Copy)]
struct Frame {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Layout {
    fn new(plot: &Plot) -> Result<Self> {
        fonts()?;
        let bars = plot.kind == PlotKind::Bars;
        let points = || plot.series.iter().flat_map(|series| &series.points);
        let foot = matches!(plot.kind, PlotKind::Bars | PlotKind::Histogram).then_some(0.0);
        let values = Range::new(&plot.y_axis, points().map(|point| point.1).chain(foot), false);
        let names = names(plot);
        let half_bin = if plot.kind == PlotKind::Histogram { bin_width(plot) / 2.0 } else { 0.0 };
        let positions = if names.is_empty() {
            let ends = points().flat_map(|point| [point.0 - half_bin, point.0 + half_bin]);
            let range = Range::new(&plot.x_axis, ends, true);
            if plot.kind == PlotKind::Lines { range.widened(0.02) } else { range }
        } else {
            Range::names(&names)
        };

        let title = wrap(&plot.title, WIDTH - 2.0 * MARGIN, 15.0, FontStyle::Bold);
        let mut y = MARGIN + title.len() as f64 * 20.0 + 6.0;
        let mut legend = Vec::new();
        let mut x = MARGIN;
        for (i, series) in plot.series.iter().enumerate().filter(|(_, series)| !series.name.is_empty()) {
            let width = 24.0 + text_width(&series.name, LETTER) + 16.0;
            if x > MARGIN && x + width - 16.0 > WIDTH - MARGIN {
                (x, y) = (MARGIN, y + LINE);
            }
            legend.push((i, x, y));
            x += width;
        }
        if !legend.is_empty() {
            y += LINE + 10.0;
        }
        let caption = y;
        let top = y + LINE + 6.0;

        let widest = |range: &Range| {
            range.ticks.iter().map(|(_, label)| text_width(label, LETTER)).fold(0.0, f64::max)
        };
        let (name_width, value_width) = (widest(&positions), widest(&values));
        let slot = (WIDTH - 2.0 * MARGIN - value_width - 8.0) / names.len().max(1) as f64;
        let crowded = !names.is_empty() && name_width + 6.0 > slot;
        let lying = bars && crowded;
        let turned = crowded && !lying;
        let beside = 8.0 + if lying { name_width } else { value_width };
        let under = if turned { name_width + 8.0 } else { LINE } + LINE + MARGIN;
        let height = if lying {
            let bar_room = 10.0 * plot.series.len() as f64 + 12.0;
            HEIGHT.max(top + bar_room * names.len() as f64 + under)
        } else {
            HEIGHT.max(top + 180.0 + under)
        };
        let frame = Frame { left: MARGIN + beside, top, right: WIDTH - MARGIN - 6.0, bottom: height - under };
        let (mut above, mut below) = (plot.y_axis.label.clone(), plot.x_axis.label.clone());
        if lying {
            std::mem::swap(&mut above, &mut below);
        }
        Ok(Self { height, title, legend, caption, above, below, frame, positions, values, lying, turned })
    }

    fn pixels(&self, scale: f64) -> (u32, u32) {
        ((WIDTH * scale) as u32, (self.height.ceil() * scale) as u32)
    }

    /// A point of the plot in units; `None` if the axes cannot show it.
    fn point(&self, position: f64, value: f64) -> Option<(f64, f64)> {
        let Frame { left, top, right, bottom } = self.frame;
        let (p, v) = (self.positions.place(position)?, self.values.place(value)?);
        Some(if self.lying {
            (left + v * (right - left), top + p * (bottom - top))
        } else {
            (left + p * (right - left), bottom - v * (bottom - top))
        })
    }
}

/// The names along the positions: the axis' own, or for bars the distinct positions in order.
fn names(plot: &Plot) -> Vec<String> {
    if !plot.x_axis.categories.is_empty() || plot.kind != PlotKind::Bars {
        return plot.x_axis.categories.clone();
    }
    bar_positions(plot).into_iter().map(super::short).collect()
}

fn bar_positions(plot: &Plot) -> Vec<f64> {
    let mut positions: Vec<f64> =
        plot.series.iter().flat_map(|series| &series.points).map(|point| point.0).collect();
    positions.sort_by(f64::total_cmp);
    positions.dedup();
    positions
}

/// The least distance of two bins.
fn bin_width(plot: &Plot) -> f64 {
    let positions = bar_positions(plot);
    let least = positions.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::INFINITY, f64::min);
    if least.is_finite() { least } else { 1.0 }
}

/// A drawing surface with its scale.
struct Sheet<'a, DB: DrawingBackend> {
    area: &'a DrawingArea<DB, Shift>,
    scale: f64,
    /// How far below the middle of its line the backend must be asked to centre a text.
    sink: f64,
}

impl<DB: DrawingBackend> Sheet<'_, DB> {
    fn pixel(&self, (x, y): (f64, f64)) -> (i32, i32) {
        ((x * self.scale).round() as i32, (y * self.scale).round() as i32)
    }
    fn stroke(&self, colour: RGBColor, width: f64) -> ShapeStyle {
        colour.stroke_width((width * self.scale).round().max(1.0) as u32)
    }
    fn line(&self, points: &[(f64, f64)], colour: RGBColor, width: f64) -> Result<()> {
        let points: Vec<_> = points.iter().map(|&point| self.pixel(point)).collect();
        put(self.area.draw(&PathElement::new(points, self.stroke(colour, width))))
    }
    fn polygon(&self, points: &[(f64, f64)], colour: RGBColor, opacity: f64) -> Result<()> {
        let points: Vec<_> = points.iter().map(|&point| self.pixel(point)).collect();
        put(self.area.draw(&Polygon::new(points, colour.mix(opacity).filled())))
    }
    fn block(&self, a: (f64, f64), b: (f64, f64), colour: RGBColor, opacity: f64) -> Result<()> {
        self.polygon(&[a, (b.0, a.1), b, (a.0, b.1)], colour, opacity)
    }
    fn text(
        &self,
        text: &str,
        at: (f64, f64),
        font: FontDesc<'_>,
        colour: RGBColor,
        anchor: (HPos, VPos),
    ) -> Result<()> {
        let sink = if matches!(anchor.1, VPos::Center) { self.sink } else { 0.0 };
        let at = (at.0, at.1 + sink);
        let font = font.resize(font.get_size() * self.scale);
        let style = font.color(&colour).pos(Pos::new(anchor.0, anchor.1));
        put(self.area.draw(&Text::new(text.to_owned(), self.pixel(at), style)))
    }
    /// A mark whose form tells the series apart without colour.
    fn mark(&self, series: usize, (x, y): (f64, f64)) -> Result<()> {
        let colour = colour(series);
        match series % 4 {
            0 => put(self.area.draw(&Circle::new(
                self.pixel((x, y)),
                (3.2 * self.scale) as i32,
                colour.filled(),
            ))),
            1 => self.block((x - 3.0, y - 3.0), (x + 3.0, y + 3.0), colour, 1.0),
            2 => self.polygon(&[(x, y - 4.0), (x + 4.0, y + 3.0), (x - 4.0, y + 3.0)], colour, 1.0),
            _ => self.polygon(&[(x, y - 4.2), (x + 4.2, y), (x, y + 4.2), (x - 4.2, y)], colour, 1.0),
        }
    }
}

fn put<E: std::error::Error + Send + Sync>(result: Result<(), DrawingAreaErrorKind<E>>) -> Result<()> {
    result.map_err(|error| anyhow!("cannot draw: {error}"))
}

fn draw<DB: DrawingBackend>(plot: &Plot, layout: &Layout, backend: DB, scale: f64, sink: f64) -> Result<()> {
    let area = backend.into_drawing_area();
    let sheet = Sheet { area: &area, scale, sink };
    put(area.fill(&PAPER.light))?;
    for (i, line) in layout.title.iter().enumerate() {
        let at = (MARGIN, MARGIN + i as f64 * 20.0);
        sheet.text(line, at, font(15.0, FontStyle::Bold), INK.light, (HPos::Left, VPos::Top))?;
    }
    draw_axes(layout, &sheet)?;
    match plot.kind {
        PlotKind::Lines => draw_lines(plot, layout, &sheet)?,
        PlotKind::Bars => draw_bars(plot, layout, &sheet)?,
        PlotKind::Histogram => draw_histogram(plot, layout, &sheet)?,
    }
    for &(i, x, y) in &layout.legend {
        let middle = y + LINE / 2.0;
        if plot.kind == PlotKind::Lines {
            sheet.line(&[(x, middle), (x + 18.0, middle)], colour(i), 2.0)?;
            sheet.mark(i, (x + 9.0, middle))?;
        } else {
            sheet.block((x + 3.0, middle - 6.0), (x + 15.0, middle + 6.0), colour(i), 1.0)?;
        }
        let name = &plot.series[i].name;
        sheet.text(name, (x + 24.0, middle), plain(), INK.light, (HPos::Left, VPos::Center))?;
    }
    put(area.present())
}

fn draw_axes<DB: DrawingBackend>(layout: &Layout, sheet: &Sheet<'_, DB>) -> Result<()> {
    let Frame { left, top, right, bottom } = layout.frame;
    let (across, up) =
        if layout.lying { (&layout.values, &layout.positions) } else { (&layout.positions, &layout.values) };
    let muted = MUTED.light;
    for (tick, label) in &up.ticks {
        let Some(place) = up.place(*tick) else { continue };
        let y = if layout.lying { top + place * (bottom - top) } else { bottom - place * (bottom - top) };
        if !layout.lying {
            sheet.line(&[(left, y), (right, y)], GRID.light, 1.0)?;
        }
        sheet.text(label, (left - 8.0, y), plain(), muted, (HPos::Right, VPos::Center))?;
    }
    let mut free = f64::NEG_INFINITY;
    for (tick, label) in &across.ticks {
        let Some(place) = across.place(*tick) else { continue };
        let x = left + place * (right - left);
        if layout.lying {
            sheet.line(&[(x, top), (x, bottom)], GRID.light, 1.0)?;
        } else {
            sheet.line(&[(x, bottom), (x, bottom + 4.0)], muted, 1.0)?;
        }
        if layout.turned {
            let font = plain().transform(FontTransform::Rotate270);
            sheet.text(label, (x, bottom + 8.0), font, muted, (HPos::Right, VPos::Center))?;
        } else {
            let half = text_width(label, LETTER) / 2.0;
            // A label that would touch its neighbour is left out; its tick stays.
            if x - half > free {
                sheet.text(label, (x, bottom + 8.0), plain(), muted, (HPos::Center, VPos::Top))?;
                free = x + half + 6.0;
            }
        }
    }
    sheet.text(&layout.above, (MARGIN, layout.caption), plain(), muted, (HPos::Left, VPos::Top))?;
    let below = (right, layout.height - MARGIN - LETTER);
    sheet.text(&layout.below, below, plain(), muted, (HPos::Right, VPos::Top))?;
    let foot = if layout.lying { [(left, top), (left, bottom)] } else { [(left, bottom), (right, bottom)] };
    sheet.line(&foot, muted, 1.0)
}

fn draw_lines<DB: DrawingBackend>(plot: &Plot, layout: &Layout, sheet: &Sheet<'_, DB>) -> Result<()> {
    for (i, series) in plot.series.iter().enumerate() {
        let places: Vec<_> = series.points.iter().map(|&(x, y)| layout.point(x, y)).collect();
        // A figure the axes cannot show interrupts the line.
        for piece in places.split(Option::is_none) {
            let piece: Vec<_> = piece.iter().flatten().copied().collect();
            if piece.len() > 1 {
                sheet.line(&piece, colour(i), 2.0)?;
            }
            if piece.len() == 1 || places.len() <= 40 {
                piece.iter().try_for_each(|&place| sheet.mark(i, place))?;
            }
        }
    }
    Ok(())
}

fn draw_bars<DB: DrawingBackend>(plot: &Plot, layout: &Layout, sheet: &Sheet<'_, DB>) -> Result<()> {
    let named = !plot.x_axis.categories.is_empty();
    let positions = bar_positions(plot);
    let count = plot.series.len().max(1) as f64;
    let width = (0.8 / count).min(0.5);
    for (i, Series { points, .. }) in plot.series.iter().enumerate() {
        let shift = (i as f64 - (count - 1.0) / 2.0) * width;
        for &(x, value) in points {
            let slot = if named { x } else { positions.partition_point(|&position| position < x) as f64 };
            let foot = layout.point(slot + shift - width * 0.46, layout.values.foot());
            let head = layout.point(slot + shift + width * 0.46, value);
            if let (Some(foot), Some(head)) = (foot, head) {
                sheet.block(foot, head, colour(i), 1.0)?;
            }
        }
    }
    Ok(())
}

fn draw_histogram<DB: DrawingBackend>(plot: &Plot, layout: &Layout, sheet: &Sheet<'_, DB>) -> Result<()> {
    let half = bin_width(plot) / 2.0;
    for (i, Series { points, .. }) in plot.series.iter().enumerate() {
        let mut outline = Vec::new();
        for &(x, value) in points {
            let foot = layout.point(x - half, layout.values.foot());
            let head = layout.point(x + half, value);
            if let (Some(foot), Some(head)) = (foot, head) {
                sheet.block(foot, head, colour(i), 0.3)?;
                outline.extend([(foot.0, head.1), head]);
            }
        }
        if outline.len() > 1 {
            sheet.line(&outline, colour(i), 1.6)?;
        }
    }
    Ok(())
}

/// The font is part of the program: what is drawn depends on no machine's fonts.
fn fonts() -> Result<()> {
    for (style, bytes) in
        [(FontStyle::Normal, dejavu::sans::regular()), (FontStyle::Bold, dejavu::sans::bold())]
    {
        register_font("sans-serif", style, bytes).map_err(|_| anyhow!("the font is not readable"))?;
    }
    Ok(())
}

fn font(letter: f64, style: FontStyle) -> FontDesc<'static> {
    // Plotters' sizes are line heights.
    FontDesc::new(FontFamily::SansSerif, letter * 1.24, style)
}

fn plain() -> FontDesc<'static> {
    font(LETTER, FontStyle::Normal)
}

fn text_width(text: &str, letter: f64) -> f64 {
    width_of(text, letter, FontStyle::Normal)
}

fn width_of(text: &str, letter: f64, style: FontStyle) -> f64 {
    // Measured large, since boxes are whole numbers.
    let measured = font(letter * 16.0, style).box_size(text).map(|(width, _)| f64::from(width) / 16.0);
    measured.unwrap_or(text.chars().count() as f64 * letter * 0.65)
}

/// Breaks a text into lines at spaces.
fn wrap(text: &str, width: f64, letter: f64, style: FontStyle) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if width_of(&format!("{line} {word}"), letter, style) <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
