/** Why something is kept that nobody will process by itself. */
export type DeadLetterReason = (typeof deadLetterReasons)[number]

export const deadLetterReasons = ['idempotency_conflict', 'expression_failed', 'validation_failed', 'run_died'] as const
