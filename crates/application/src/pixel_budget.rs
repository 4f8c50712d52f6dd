//! The memory of pictures that are painted at the same time.

use std::sync::Arc;

#[cfg(feature = "mermaid")]
use mermend::{Deadline, picture::MAX_PIXELS};
#[cfg(feature = "mermaid")]
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::Semaphore;

#[cfg(feature = "mermaid")]
use crate::cpu_pool::{Refused, within};

#[cfg(feature = "mermaid")]
pub(crate) const MEGAPIXELS: u32 = MAX_PIXELS >> 20;
#[cfg(not(feature = "mermaid"))]
pub(crate) const MEGAPIXELS: u32 = 16;

/// The pixels that may be painted at once, of all pictures together: as many as the largest picture has.
#[derive(Debug, Clone)]
pub struct PixelBudget(Arc<Semaphore>);

/// Pixels are counted in blocks.
const BLOCK_PIXELS: u32 = 1 << 16;

impl Default for PixelBudget {
    fn default() -> Self {
        PixelBudget(Arc::new(Semaphore::new((MEGAPIXELS << 4) as usize)))
    }
}

impl PixelBudget {
    #[cfg(feature = "mermaid")]
    pub(crate) async fn reserve(
        &self,
        pixels: u32,
        deadline: &Deadline,
    ) -> Result<OwnedSemaphorePermit, Refused> {
        let blocks = pixels.div_ceil(BLOCK_PIXELS);
        let reserved = within(deadline, Arc::clone(&self.0).acquire_many_owned(blocks)).await?;
        reserved.map_err(|_| Refused::Closed)
    }
}
