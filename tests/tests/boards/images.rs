//! The boards' images: they build, lie where their chips look for them, fit, and say why they stop.

use std::path::Path;

use crc::{CRC_32_MPEG_2, Crc};
use quern::place::boards::{self, BOARDS, Board};
use quern::place::image::{contents, memory_map, usage};
use quern::place::{Wired, toolchain};
use quern_firmware::{endpoints, instances};

fn words(image: &Path, address: u64, count: usize) -> Vec<u32> {
    let bytes = contents(image, address, 4 * count).unwrap();
    bytes.as_chunks().0.iter().map(|&word| u32::from_le_bytes(word)).collect()
}

/// The stack pointer lies at the end of RAM, and the reset vector is Thumb code in flash.
fn check_vector_table(board: &Board, image: &Path) {
    let map = memory_map(board).unwrap();
    let find = |name: &str| map.iter().find(|region| region.name == name).unwrap();
    let (flash, ram) = (find("FLASH"), find("RAM"));
    let [stack, reset] = words(image, flash.origin, 2)[..] else { unreachable!() };
    assert_eq!(u64::from(stack), ram.origin + ram.length, "{}: initial stack pointer", board.name);
    assert_eq!(reset & 1, 1, "{}: the reset vector is not Thumb code", board.name);
    let reset = u64::from(reset);
    assert!(
        (flash.origin..flash.origin + flash.length).contains(&reset),
        "{}: reset at {reset:#x}",
        board.name
    );
}

/// RP2040 Datasheet, 2.8.1.3.1: the second stage is 256 bytes, the last four the checksum of the others.
fn check_second_stage(image: &Path) {
    let stage = contents(image, 0x1000_0000, 256).unwrap();
    let (code, checksum) = stage.split_at(252);
    let expected = Crc::<u32>::new(&CRC_32_MPEG_2).checksum(code);
    assert_eq!(checksum, expected.to_le_bytes(), "the second stage's checksum");
    assert!(code.iter().any(|&byte| byte != 0));
}

/// RP2350 Datasheet, 5.9.5.1: one block with these words within the first 4 KiB.
fn check_image_definition(image: &Path) {
    const BLOCK: [u32; 5] = [0xffff_ded3, 0x1021_0142, 0x0000_01ff, 0, 0xab12_3579];
    let found = words(image, 0x1000_0000, 1024).windows(5).filter(|words| *words == BLOCK).count();
    assert_eq!(found, 1, "image definitions");
}

#[test]
fn every_image_builds_and_fits_its_board() {
    for (board, part) in BOARDS.iter().flat_map(|board| (0..board.parts).map(move |part| (board, part))) {
        let image = toolchain::build_image(board, part).unwrap();
        let usage = usage(board, &image).unwrap();
        assert!(usage.flash_bytes <= usage.flash_capacity, "{}: {usage:?}", board.name);
        // 3 KiB of stack are what the deepest calls need on the smallest board.
        assert!(usage.ram_bytes + 3 * 1024 <= usage.ram_capacity, "{}: {usage:?}", board.name);
        if board.triple.starts_with("thumb") {
            check_vector_table(board, &image);
        }
        match board.name {
            "rpi-pico" => check_second_stage(&image),
            "rpi-pico-2" => check_image_definition(&image),
            _ => {}
        }
    }
}

#[test]
fn the_parts_hold_every_kernel_and_the_empty_call_is_in_all() {
    for count in 1..=4 {
        for endpoint in endpoints::all() {
            match endpoints::part_of(endpoint.name, count) {
                Some(part) => assert!(part < count, "{}", endpoint.name),
                None => assert_eq!(endpoint.name, "link/echo"),
            }
        }
        assert!(instances::ALL.iter().all(|instance| instances::part_of(instance.slug, count).is_some()));
    }
}

/// What stops a board that runs this example, in the words of the host.
fn last_words(board: &str, example: &str) -> String {
    let board = boards::find(board).unwrap();
    let image = toolchain::build_example(board, example).unwrap();
    match Wired::start_image(board, &image, None) {
        Ok(_) => panic!("{example} answers"),
        Err(error) => format!("{error:#}"),
    }
}

#[test]
fn a_board_that_stops_says_why() {
    for (board, fault) in [("mps2-an386", "hard fault at 0x"), ("rv32", "trap 2 at 0x8")] {
        let panic = last_words(board, "panics");
        assert!(panic.contains("panics.rs") && panic.contains("cornered at 42"), "{board}: {panic}");
        let found = last_words(board, "faults");
        assert!(found.contains(fault), "{board}: {found}");
    }
}

#[test]
fn the_minimal_example_builds_for_every_emulated_board() {
    for board in BOARDS.iter().filter(|board| matches!(board.target, boards::Target::Qemu { .. })) {
        let image = toolchain::build_example(board, "minimal").unwrap();
        assert!(image.is_file(), "{}", board.name);
    }
}

#[test]
fn the_minimal_example_runs_on_a_board() {
    let board = boards::find("mps2-an386").unwrap();
    let image = toolchain::build_example(board, "minimal").unwrap();
    let status = quern_tests::emulate(&image);
    assert!(status.success(), "{status}");
}
