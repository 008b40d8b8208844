//! Numbers of fields, by table of `schema.fbs`.

pub mod model {
    pub const VERSION: usize = 0;
    pub const OPERATOR_CODES: usize = 1;
    pub const SUBGRAPHS: usize = 2;
    pub const DESCRIPTION: usize = 3;
    pub const BUFFERS: usize = 4;
    pub const METADATA_BUFFER: usize = 5;
    pub const METADATA: usize = 6;
    pub const SIGNATURES: usize = 7;
    pub const EXTERNAL_BUFFER_GROUPS: usize = 8;
    pub const EXTERNAL_BUFFERS: usize = 9;
}

pub mod operator_code {
    pub const DEPRECATED_CODE: usize = 0;
    pub const CUSTOM_CODE: usize = 1;
    pub const CODE: usize = 3;
}

pub mod subgraph {
    pub const TENSORS: usize = 0;
    pub const INPUTS: usize = 1;
    pub const OUTPUTS: usize = 2;
    pub const OPERATORS: usize = 3;
    pub const NAME: usize = 4;
}

pub mod tensor {
    pub const SHAPE: usize = 0;
    pub const TYPE: usize = 1;
    pub const BUFFER: usize = 2;
    pub const NAME: usize = 3;
    pub const QUANTIZATION: usize = 4;
    pub const IS_VARIABLE: usize = 5;
    pub const SPARSITY: usize = 6;
    pub const SHAPE_SIGNATURE: usize = 7;
    pub const VARIANT_TENSORS: usize = 9;
    pub const EXTERNAL_BUFFER: usize = 10;
}

pub mod quantization {
    pub const MIN: usize = 0;
    pub const MAX: usize = 1;
    pub const SCALE: usize = 2;
    pub const ZERO_POINT: usize = 3;
    pub const DETAILS_TYPE: usize = 4;
    pub const DETAILS: usize = 5;
    pub const DIMENSION: usize = 6;
    /// Of both block-wise and multi-axis details.
    pub const DETAILS_SCALES: usize = 0;
    pub const DETAILS_ZERO_POINTS: usize = 1;
    pub const DETAILS_DIMENSIONS: usize = 3;
}

pub mod operator {
    pub const CODE: usize = 0;
    pub const INPUTS: usize = 1;
    pub const OUTPUTS: usize = 2;
    pub const OPTIONS_TYPE: usize = 3;
    pub const OPTIONS: usize = 4;
    pub const CUSTOM_OPTIONS: usize = 5;
    pub const MUTATING_INPUTS: usize = 7;
    pub const INTERMEDIATES: usize = 8;
    pub const LARGE_CUSTOM_OPTIONS: usize = 9;
    pub const OPTIONS_2_TYPE: usize = 11;
    pub const OPTIONS_2: usize = 12;
}

pub mod buffer {
    pub const DATA: usize = 0;
    pub const OFFSET: usize = 1;
    pub const SIZE: usize = 2;
}

pub mod signature {
    pub const INPUTS: usize = 0;
    pub const OUTPUTS: usize = 1;
    pub const KEY: usize = 2;
    pub const SUBGRAPH: usize = 4;
    pub const MAP_NAME: usize = 0;
    pub const MAP_TENSOR: usize = 1;
}

pub mod metadata {
    pub const NAME: usize = 0;
    pub const BUFFER: usize = 1;
}
