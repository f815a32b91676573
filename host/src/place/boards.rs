//! The boards: what each is, how its image is built, how it is started.

/// How virtual or real time becomes a count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tick {
    /// The clock advances by one each time `instructions / ticks` instructions have run.
    Instructions {
        /// Instructions in `ticks` ticks.
        instructions: u32,
        /// Ticks; the fraction is in lowest terms.
        ticks: u32,
    },
    /// The clock counts core cycles.
    Cycles,
}

/// Where a board's image runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// QEMU: the system emulator and its arguments.
    Qemu {
        /// The program.
        emulator: &'static str,
        /// Its machine.
        arguments: &'static [&'static str],
    },
    /// Silicon behind a debug probe: the chip's name in the probe's tables.
    Probe {
        /// The chip.
        chip: &'static str,
    },
}

/// A board.
#[derive(Clone, Copy, Debug)]
pub struct Board {
    /// Its name, and the feature its image is built with.
    pub name: &'static str,
    /// Core and memory, in a few words.
    pub summary: &'static str,
    /// The compiler's target.
    pub triple: &'static str,
    /// The compiler's level of optimization: for speed, or where flash is too small for all kernels, for size.
    pub opt_level: &'static str,
    /// Images that hold all kernels together, where flash is too small for one that does.
    pub parts: usize,
    /// Where it runs.
    pub target: Target,
    /// What its clock counts.
    pub tick: Tick,
    /// Memory the generators of test cases may count on, in bytes.
    pub case_bytes: usize,
    /// Generated cases a kernel, unless another number is asked for.
    pub cases: u32,
}

const ARM: &str = "qemu-system-arm";

/// Every board.
pub const BOARDS: &[Board] = &[
    Board {
        name: "mps2-an385",
        summary: "Cortex-M3, no floating-point unit; QEMU",
        triple: "thumbv7m-none-eabi",
        opt_level: "3",
        parts: 1,
        target: Target::Qemu { emulator: ARM, arguments: &["-machine", "mps2-an385"] },
        tick: Tick::Instructions { instructions: 40, ticks: 1 },
        case_bytes: 40_000,
        cases: 1000,
    },
    Board {
        name: "mps2-an386",
        summary: "Cortex-M4F, single-precision floating-point unit; QEMU",
        triple: "thumbv7em-none-eabihf",
        opt_level: "3",
        parts: 1,
        target: Target::Qemu { emulator: ARM, arguments: &["-machine", "mps2-an386"] },
        tick: Tick::Instructions { instructions: 40, ticks: 1 },
        case_bytes: 40_000,
        cases: 1000,
    },
    Board {
        name: "mps2-an505",
        summary: "Cortex-M33, single-precision floating-point unit; QEMU",
        triple: "thumbv8m.main-none-eabihf",
        opt_level: "3",
        parts: 1,
        target: Target::Qemu { emulator: ARM, arguments: &["-machine", "mps2-an505"] },
        tick: Tick::Instructions { instructions: 50, ticks: 1 },
        case_bytes: 40_000,
        cases: 1000,
    },
    Board {
        name: "microbit",
        summary: "Cortex-M0, 16 KiB of RAM, no floating-point unit; QEMU",
        triple: "thumbv6m-none-eabi",
        opt_level: "s",
        parts: 9,
        target: Target::Qemu { emulator: ARM, arguments: &["-machine", "microbit"] },
        tick: Tick::Instructions { instructions: 125, ticks: 2 },
        case_bytes: 4_000,
        cases: 200,
    },
    Board {
        name: "rv32",
        summary: "RV32IMAFC, single-precision floating-point unit; QEMU",
        triple: "riscv32imafc-unknown-none-elf",
        opt_level: "3",
        parts: 1,
        target: Target::Qemu {
            emulator: "qemu-system-riscv32",
            arguments: &["-machine", "virt", "-bios", "none"],
        },
        tick: Tick::Instructions { instructions: 1, ticks: 1 },
        case_bytes: 40_000,
        cases: 1000,
    },
    Board {
        name: "nrf52840-dk",
        summary: "Cortex-M4F, single-precision floating-point unit; silicon",
        triple: "thumbv7em-none-eabihf",
        opt_level: "3",
        parts: 5,
        target: Target::Probe { chip: "nRF52840_xxAA" },
        tick: Tick::Cycles,
        case_bytes: 40_000,
        cases: 1000,
    },
    Board {
        name: "nucleo-f446re",
        summary: "Cortex-M4F, single-precision floating-point unit; silicon",
        triple: "thumbv7em-none-eabihf",
        opt_level: "3",
        parts: 9,
        target: Target::Probe { chip: "STM32F446RE" },
        tick: Tick::Cycles,
        case_bytes: 40_000,
        cases: 1000,
    },
    Board {
        name: "rpi-pico",
        summary: "Cortex-M0+, no floating-point unit; silicon",
        triple: "thumbv6m-none-eabi",
        opt_level: "3",
        parts: 1,
        target: Target::Probe { chip: "RP2040" },
        tick: Tick::Cycles,
        case_bytes: 40_000,
        cases: 1000,
    },
    Board {
        name: "rpi-pico-2",
        summary: "Cortex-M33, single-precision floating-point unit; silicon",
        triple: "thumbv8m.main-none-eabihf",
        opt_level: "3",
        parts: 1,
        target: Target::Probe { chip: "RP235x" },
        tick: Tick::Cycles,
        case_bytes: 40_000,
        cases: 1000,
    },
];

/// The board of this name.
pub fn find(name: &str) -> Option<&'static Board> {
    BOARDS.iter().find(|board| board.name == name)
}
