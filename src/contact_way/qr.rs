//! Draws a text as a QR code: PNG and SVG. Pure.
//!
//! For a contact way the text is the URL that WeCom gave for it.

use qrcode::{Color, EcLevel, QrCode, render::svg, types::QrError};

/// How many pixels wide a module of the PNG is: a code of 45 modules then suits a phone's screen.
const MODULE_PIXELS: usize = 8;

/// The width of the white margin in modules, as the standard requires.
const QUIET_MODULES: usize = 4;

/// The minimum width of the SVG; it scales.
const SVG_PIXELS: u32 = 320;

/// Why there is no picture.
#[derive(Debug, thiserror::Error)]
pub enum NoPicture {
    /// The text is too long for a code.
    #[error("the text does not fit into a QR code: {0}")]
    Code(#[from] QrError),
    /// The picture cannot be written.
    #[error("the PNG cannot be written: {0}")]
    Png(#[from] png::EncodingError),
}

/// A code as an SVG document.
pub fn svg(text: &str) -> Result<String, NoPicture> {
    let code = code(text)?;
    Ok(code.render::<svg::Color>().min_dimensions(SVG_PIXELS, SVG_PIXELS).quiet_zone(true).build())
}

/// A code as a PNG file: black on white, one byte a pixel.
pub fn png(text: &str) -> Result<Vec<u8>, NoPicture> {
    let code = code(text)?;
    let modules = code.width();
    let colors = code.to_colors();
    let side = (modules + 2 * QUIET_MODULES) * MODULE_PIXELS;
    let dark = |pixel_x: usize, pixel_y: usize| {
        let x = (pixel_x / MODULE_PIXELS).checked_sub(QUIET_MODULES).filter(|x| *x < modules)?;
        let y = (pixel_y / MODULE_PIXELS).checked_sub(QUIET_MODULES)?;
        colors.get(y * modules + x).filter(|it| **it == Color::Dark)
    };
    let pixels: Vec<u8> =
        (0..side * side).map(|at| if dark(at % side, at / side).is_some() { 0 } else { u8::MAX }).collect();

    let mut file = Vec::new();
    let width = u32::try_from(side).unwrap_or(u32::MAX);
    let mut encoder = png::Encoder::new(&mut file, width, width);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(&pixels)?;
    writer.finish()?;
    Ok(file)
}

fn code(text: &str) -> Result<QrCode, NoPicture> {
    Ok(QrCode::with_error_correction_level(text, EcLevel::M)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://wework.qpic.cn/wwpic/1234_abc/0";

    #[test]
    fn the_png_shows_the_code_module_by_module() {
        let file = png(URL).expect("a picture");
        let mut reader = png::Decoder::new(std::io::Cursor::new(&file)).read_info().expect("a PNG");
        let mut pixels = vec![0; reader.output_buffer_size().expect("small")];
        let info = reader.next_frame(&mut pixels).expect("its pixels");
        let side = info.width as usize;
        assert_eq!((info.width, info.bit_depth), (info.height, png::BitDepth::Eight));
        let expected = QrCode::with_error_correction_level(URL, EcLevel::M).expect("a code");
        let modules = expected.width();
        assert_eq!(side, (modules + 2 * QUIET_MODULES) * MODULE_PIXELS);
        let middle = |module: usize| (module + QUIET_MODULES) * MODULE_PIXELS + MODULE_PIXELS / 2;
        let shown: Vec<Color> = (0..modules * modules)
            .map(|at| pixels[middle(at / modules) * side + middle(at % modules)])
            .map(|pixel| if pixel == 0 { Color::Dark } else { Color::Light })
            .collect();
        assert!(shown == expected.to_colors(), "the picture shows another code");
        assert!(pixels[..side * QUIET_MODULES].iter().all(|it| *it == u8::MAX), "the margin is white");
    }

    #[test]
    fn the_svg_is_one_document_and_too_long_a_text_is_refused() {
        let picture = svg(URL).expect("a picture");
        assert!(picture.contains("<svg") && picture.trim_end().ends_with("</svg>"), "{picture}");
        assert!(svg(&"x".repeat(5_000)).is_err());
    }
}
