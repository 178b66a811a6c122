export const toolNames: readonly string[]
export function answerOf(
  message: { readonly id?: unknown; readonly method: string; readonly params?: unknown },
  does: (name: string, args: { readonly [name: string]: unknown }) => Promise<unknown>,
  tools?: readonly string[],
): Promise<unknown>
