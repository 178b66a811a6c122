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
  return stream.isTTY === true && !process.env.NO_COLOR ? colorPaint : plainPaint
}

export const plainPaint: Paint = paintOf((_, text) => text)
const colorPaint: Paint = paintOf((format, text) => styleText(format, text, { validateStream: false }))

type Style = (format: keyof Paint, text: string) => string

function paintOf(style: Style): Paint {
  return {
    red: (text) => style('red', text),
    green: (text) => style('green', text),
    yellow: (text) => style('yellow', text),
    cyan: (text) => style('cyan', text),
    bold: (text) => style('bold', text),
    dim: (text) => style('dim', text),
  }
}
