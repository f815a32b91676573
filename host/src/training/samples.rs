use anyhow::{Result, ensure};
use quern_kernels::random::{Key, permutation};

/// What a network learns from: inputs, and what it should answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// Numbers a sample.
    pub inputs: usize,
    /// The inputs, sample by sample.
    pub entries: Vec<f32>,
    /// One target a sample.
    pub targets: Targets,
}

/// What a network should answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// A class, counted from 0.
    Labels(Vec<u32>),
    /// A number.
    Values(Vec<f32>),
}

impl Samples {
    /// How many there are.
    pub fn len(&self) -> usize {
        match &self.targets {
            Targets::Labels(labels) => labels.len(),
            Targets::Values(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The inputs of a sample.
    pub fn input(&self, sample: usize) -> &[f32] {
        &self.entries[sample * self.inputs..(sample + 1) * self.inputs]
    }

    /// Those of these indices, in that order.
    #[must_use]
    pub fn select(&self, indices: &[u32]) -> Self {
        let entries = indices.iter().flat_map(|&index| self.input(index as usize)).copied().collect();
        let targets = match &self.targets {
            Targets::Labels(labels) => {
                Targets::Labels(indices.iter().map(|&index| labels[index as usize]).collect())
            }
            Targets::Values(values) => {
                Targets::Values(indices.iter().map(|&index| values[index as usize]).collect())
            }
        };
        Self { inputs: self.inputs, entries, targets }
    }

    /// Those to train on, and a share of them, drawn at random and at least one unless the share is 0, to be held
    /// out.
    ///
    /// # Errors
    /// If nothing is left to train on.
    pub fn split(&self, hold_out: f64, key: Key) -> Result<(Self, Self)> {
        let mut order = vec![0; self.len()];
        permutation(&mut key.stream(), &mut order)?;
        let share = (self.len() as f64 * hold_out).round() as usize;
        let held = if hold_out > 0.0 { share.max(1) } else { 0 };
        ensure!(held < self.len(), "{} samples leave none to train on once {held} are held out", self.len());
        let (held, kept) = order.split_at(held);
        Ok((self.select(kept), self.select(held)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_split_keeps_every_sample_once() {
        let samples = Samples {
            inputs: 2,
            entries: (0..20).map(|i| i as f32).collect(),
            targets: Targets::Labels((0..10).collect()),
        };
        let (train, held) = samples.split(0.25, Key::from_seed(3)).unwrap();
        assert_eq!((train.len(), held.len()), (7, 3));
        let mut all = Vec::new();
        for part in [&train, &held] {
            let Targets::Labels(labels) = &part.targets else { unreachable!() };
            for (sample, &label) in labels.iter().enumerate() {
                assert_eq!(part.input(sample), [2.0 * label as f32, 2.0 * label as f32 + 1.0]);
                all.push(label);
            }
        }
        all.sort_unstable();
        assert!(all.into_iter().eq(0..10));
        assert_eq!(samples.split(0.0, Key::from_seed(3)).unwrap().1.len(), 0);
        assert_eq!(samples.split(0.001, Key::from_seed(3)).unwrap().1.len(), 1);
        assert!(samples.select(&[4]).split(0.5, Key::from_seed(3)).is_err());
    }
}
