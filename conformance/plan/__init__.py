"""Plan: cases and subjects become requests; profiles; the events that pass between plan and workers."""
