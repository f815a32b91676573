//! Handwritten digits, 8×8 pixels.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::io::file;
use crate::training::DIGITS;

const FILE_NAME: &str = "digits.csv.gz";

/// Pixels of an image.
pub(super) const PIXELS: usize = SIDE * SIDE;
const SIDE: usize = 8;
/// Every so many-th image is for testing.
const TEST_EVERY: usize = 5;

/// Images with their labels.
#[derive(Clone, Debug, Default)]
pub(super) struct Samples {
    /// 64 numbers from 0 to 1 an image, row by row.
    pub(super) pixels: Vec<f32>,
    /// A class from 0 to 9 an image.
    pub(super) labels: Vec<u32>,
}

impl Samples {
    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Image and label.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&[f32], u32)> {
        self.pixels.chunks(PIXELS).zip(self.labels.iter().copied())
    }

    fn push(&mut self, image: &[f32], label: u32) {
        self.pixels.extend_from_slice(image);
        self.labels.push(label);
    }

    /// The odd classes relabelled to the next one, (y + 1) mod 10.
    pub(super) fn deviant(&self) -> Self {
        let labels =
            self.labels.iter().map(|&label| if label % 2 == 1 { (label + 1) % 10 } else { label }).collect();
        Self { pixels: self.pixels.clone(), labels }
    }

    /// The images of odd classes alone.
    pub(super) fn odd(&self) -> Self {
        let mut odd = Self::default();
        for (image, label) in self.iter().filter(|(_, label)| label % 2 == 1) {
            odd.push(image, label);
        }
        odd
    }

    /// The images moved one pixel to the right, the left column dark.
    pub(super) fn shifted(&self) -> Self {
        let mut pixels = vec![0.0; self.pixels.len()];
        for (shifted, row) in pixels.chunks_mut(SIDE).zip(self.pixels.chunks(SIDE)) {
            shifted[1..].copy_from_slice(&row[..SIDE - 1]);
        }
        Self { pixels, labels: self.labels.clone() }
    }

    /// These and others.
    pub(super) fn with(&self, others: &Self) -> Self {
        Self {
            pixels: [&self.pixels[..], &others.pixels].concat(),
            labels: [&self.labels[..], &others.labels].concat(),
        }
    }
}

/// Training and test images.
pub(super) struct Digits {
    pub(super) train: Samples,
    pub(super) test: Samples,
}

impl Digits {
    /// The shipped images, or those of a file in the same format, or of such a file in a folder.
    pub(super) fn load(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Self::read(DIGITS, "the shipped digits") };
        let file = if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() };
        let bytes = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
        Self::read(&bytes, &file.display().to_string())
    }

    /// Reads CSV, packed by gzip or not.
    fn read(bytes: &[u8], name: &str) -> Result<Self> {
        let text = file::unpacked(bytes.to_vec()).with_context(|| name.to_owned())?;
        let mut digits = Self { train: Samples::default(), test: Samples::default() };
        let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(&text[..]);
        for (index, record) in reader.records().enumerate() {
            let line = index + 1;
            let record = record.with_context(|| format!("{name}, line {line}"))?;
            if record.len() != PIXELS + 1 {
                bail!("{name}, line {line}: expected {} fields, found {}", PIXELS + 1, record.len());
            }
            let number = |field: usize, largest: f32| -> Result<f32> {
                let text = record[field].trim();
                match text.parse::<f32>() {
                    Ok(number) if number.fract() == 0.0 && (0.0..=largest).contains(&number) => Ok(number),
                    _ => bail!(
                        "{name}, line {line}, field {}: expected a whole number from 0 to {largest}, found {text:?}",
                        field + 1
                    ),
                }
            };
            let image =
                (0..PIXELS).map(|field| Ok(number(field, 16.0)? / 16.0)).collect::<Result<Vec<_>>>()?;
            let part = if index % TEST_EVERY == 0 { &mut digits.test } else { &mut digits.train };
            part.push(&image, number(PIXELS, 9.0)? as u32);
        }
        if digits.train.len() == 0 {
            bail!("{name}: expected at least two images");
        }
        Ok(digits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_file_holds_1797_images() {
        let digits = Digits::load(None).unwrap();
        assert_eq!((digits.test.len(), digits.train.len()), (360, 1437));
        assert!(digits.train.pixels.iter().all(|pixel| pixel * 16.0 == (pixel * 16.0).round()));
        // Pixel 0 is dark in all of them.
        assert!(digits.train.iter().all(|(image, _)| image[0] == 0.0));
        let (first, label) = digits.test.iter().next().unwrap();
        assert_eq!(
            (label, &first[..8]),
            (0, &[0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0, 0.0].map(|p| p / 16.0)[..])
        );
        let shifted = digits.test.shifted();
        assert_eq!(shifted.pixels[..8], [0.0, 0.0, 0.0, 5.0, 13.0, 9.0, 1.0, 0.0].map(|p| p / 16.0));
    }

    #[test]
    fn bad_files_are_named_with_the_line() {
        let good = vec!["3"; 65].join(",");
        let refuse = |text: &str| Digits::read(text.as_bytes(), "d.csv").err().unwrap().to_string();
        assert!(refuse(&format!("{good}\n1,2\n")).contains("d.csv, line 2: expected 65 fields, found 2"));
        let nan = good.replacen('3', "NaN", 1);
        assert!(refuse(&format!("{good}\n{nan}\n")).contains("line 2, field 1"));
        let label = format!("{}12", &good[..good.len() - 1]);
        assert!(refuse(&label).contains("field 65"));
        assert!(refuse("").contains("at least two images"));
        let cut = format!("{:#}", Digits::read(&DIGITS[..1000], "d.csv.gz").err().unwrap());
        assert!(cut.contains("d.csv.gz: not a whole gzip file"), "{cut}");
    }
}
