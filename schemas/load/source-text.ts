/** A place in a text: offsets in UTF-16 code units, the end exclusive. */
export interface Span {
  readonly start: number
  readonly end: number
}

export interface Place {
  readonly line: number
  readonly column: number
}

const snippetLengthMax = 120

/** A text that knows its lines. The table of lines is made when it is first asked for. */
export class SourceText {
  readonly text: string
  #lineStarts: readonly number[] | null = null

  constructor(text: string) {
    this.text = text
  }

  /** 1-based line and column of an offset; one past the end is the last place. */
  placeAt(offset: number): Place {
    const at = Math.max(0, Math.min(offset, this.text.length))
    const line = this.#lineIndexAt(at)
    return { line: line + 1, column: at - this.#starts()[line]! + 1 }
  }

  /** The line that holds `offset`, without its line end; a long line is cut. */
  snippetAt(offset: number): string {
    return this.snippetOfLine(this.placeAt(offset).line)
  }

  /** A 1-based line, without its line end; a long line is cut. */
  snippetOfLine(number: number): string {
    const start = this.#starts()[number - 1] ?? this.text.length
    const next = this.text.indexOf('\n', start)
    const line = this.text.slice(start, next === -1 ? this.text.length : next).replace(/\r$/, '')
    return line.length <= snippetLengthMax ? line : `${line.slice(0, snippetLengthMax)}…`.toWellFormed()
  }

  #lineIndexAt(offset: number): number {
    const starts = this.#starts()
    let low = 0
    let high = starts.length - 1
    while (low < high) {
      const middle = (low + high + 1) >>> 1
      if (starts[middle]! <= offset) low = middle
      else high = middle - 1
    }
    return low
  }

  #starts(): readonly number[] {
    if (this.#lineStarts) return this.#lineStarts
    const starts = [0]
    for (let at = this.text.indexOf('\n'); at !== -1; at = this.text.indexOf('\n', at + 1)) starts.push(at + 1)
    this.#lineStarts = starts
    return starts
  }
}
