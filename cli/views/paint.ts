import { styleText } from 'node:util'

export interface Paint {
  red(text: string): string
  green(text: string): string
  yellow(text: string): string
  cyan(text: string): string
  bold(text: string): string
  dim(text: string): string
}

/** Colour on a terminal alone, and not even there when NO_COLOR is set. */
export function paint(stream: { readonly isTTY?: boolean }): Paint {
  const on = stream.isTTY === true && !process.env.NO_COLOR
  const style = (format: Parameters<typeof styleText>[0]) => (text: string) =>
    on ? styleText(format, text, { validateStream: false }) : text
  return {
    red: style('red'),
    green: style('green'),
    yellow: style('yellow'),
    cyan: style('cyan'),
    bold: style('bold'),
    dim: style('dim'),
  }
}
