//! What the driver says of its YUV values, and what holds when it says nothing.

use edgeai_config::{Colour, Matrix, PixelFormat, Range};
use v4l::v4l_sys::{
    v4l2_colorspace_V4L2_COLORSPACE_BT2020 as SPACE_BT2020,
    v4l2_colorspace_V4L2_COLORSPACE_DCI_P3 as SPACE_DCI_P3,
    v4l2_colorspace_V4L2_COLORSPACE_JPEG as SPACE_JPEG,
    v4l2_colorspace_V4L2_COLORSPACE_REC709 as SPACE_REC709,
    v4l2_colorspace_V4L2_COLORSPACE_SMPTE240M as SPACE_SMPTE240M,
    v4l2_quantization_V4L2_QUANTIZATION_FULL_RANGE as FULL_RANGE,
    v4l2_quantization_V4L2_QUANTIZATION_LIM_RANGE as LIM_RANGE,
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_709 as ENC_709,
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_BT2020 as ENC_BT2020,
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_BT2020_CONST_LUM as ENC_BT2020_CONST_LUM,
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_DEFAULT as ENC_DEFAULT,
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_SMPTE240M as ENC_SMPTE240M,
    v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_XV709 as ENC_XV709,
};

/// The three fields of a V4L2 format that say how to read YUV.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Metadata {
    pub colorspace: u32,
    pub ycbcr_enc: u32,
    pub quantization: u32,
}

impl Metadata {
    /// The rules for defaults are `V4L2_MAP_YCBCR_ENC_DEFAULT` and `V4L2_MAP_QUANTIZATION_DEFAULT` of
    /// `linux/videodev2.h`, explained in `Documentation/userspace-api/media/v4l/colorspaces-defs.rst`.
    ///
    /// Three additions. MJPEG is always BT.601, full range, whatever the driver says of it: that is
    /// what a JPEG file means (ITU-T T.871). GREY is full range unless the driver says limited: it comes
    /// from sensors that use all values. BT.2020 and SMPTE 240M count as BT.709, whose weights are
    /// the nearest of the two that there are.
    pub fn colour(self, format: PixelFormat) -> Colour {
        let matrix = match self.ycbcr_enc {
            ENC_DEFAULT => match self.colorspace {
                SPACE_REC709 | SPACE_DCI_P3 | SPACE_BT2020 | SPACE_SMPTE240M => Matrix::Bt709,
                _ => Matrix::Bt601,
            },
            ENC_709 | ENC_XV709 | ENC_BT2020 | ENC_BT2020_CONST_LUM | ENC_SMPTE240M => {
                Matrix::Bt709
            }
            _ => Matrix::Bt601,
        };
        let full_by_default = self.colorspace == SPACE_JPEG
            || matches!(
                format,
                PixelFormat::Rgb24 | PixelFormat::Bgr24 | PixelFormat::Grey
            );
        let range = match self.quantization {
            LIM_RANGE => Range::Limited,
            FULL_RANGE => Range::Full,
            _ if full_by_default => Range::Full,
            _ => Range::Limited,
        };
        match format {
            PixelFormat::Mjpeg => Colour {
                matrix: Matrix::Bt601,
                range: Range::Full,
            },
            _ => Colour { matrix, range },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use v4l::v4l_sys::{
        v4l2_colorspace_V4L2_COLORSPACE_SMPTE170M as SPACE_SMPTE170M,
        v4l2_colorspace_V4L2_COLORSPACE_SRGB as SPACE_SRGB,
        v4l2_ycbcr_encoding_V4L2_YCBCR_ENC_601 as ENC_601,
    };

    fn colour(
        format: PixelFormat,
        [colorspace, ycbcr_enc, quantization]: [u32; 3],
    ) -> (Matrix, Range) {
        let Colour { matrix, range } = Metadata {
            colorspace,
            ycbcr_enc,
            quantization,
        }
        .colour(format);
        (matrix, range)
    }

    #[test]
    fn defaults_are_those_of_the_kernel() {
        use {Matrix::*, Range::*};
        let yuv = |space| colour(PixelFormat::Nv12, [space, 0, 0]);
        assert_eq!(yuv(0), (Bt601, Limited));
        assert_eq!(yuv(SPACE_SMPTE170M), (Bt601, Limited));
        assert_eq!(yuv(SPACE_SRGB), (Bt601, Limited), "webcams");
        assert_eq!(yuv(SPACE_REC709), (Bt709, Limited));
        assert_eq!(yuv(SPACE_DCI_P3), (Bt709, Limited));
        assert_eq!(yuv(SPACE_JPEG), (Bt601, Full));
    }

    #[test]
    fn what_the_driver_says_counts_before_the_defaults() {
        use {Matrix::*, Range::*};
        let yuv = |fields| colour(PixelFormat::Yuyv, fields);
        assert_eq!(yuv([SPACE_REC709, ENC_601, 0]), (Bt601, Limited));
        assert_eq!(yuv([SPACE_SRGB, ENC_XV709, 0]), (Bt709, Limited));
        assert_eq!(yuv([SPACE_SRGB, ENC_709, FULL_RANGE]), (Bt709, Full));
        assert_eq!(yuv([SPACE_JPEG, 0, LIM_RANGE]), (Bt601, Limited));
        assert_eq!(yuv([99, 99, 99]), (Bt601, Limited));
    }

    #[test]
    fn jpeg_and_grey_use_all_values() {
        use {Matrix::*, Range::*};
        assert_eq!(
            colour(PixelFormat::Mjpeg, [SPACE_REC709, ENC_709, LIM_RANGE]),
            (Bt601, Full)
        );
        assert_eq!(colour(PixelFormat::Grey, [SPACE_SRGB, 0, 0]).1, Full);
        assert_eq!(
            colour(PixelFormat::Grey, [SPACE_SRGB, 0, LIM_RANGE]).1,
            Limited
        );
        assert_eq!(colour(PixelFormat::Bgr24, [SPACE_SRGB, 0, 0]).1, Full);
    }
}
