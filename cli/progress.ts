const everyMs = 100

/** Progress of long work: one line on a terminal that moves, nothing at all in a pipe. */
export function progressBar(word: string, stream: NodeJS.WriteStream): (done: number, total: number) => void {
  if (!stream.isTTY) return () => {}
  let shownAt = 0
  return (done, total) => {
    const now = Date.now()
    if (done < total && now - shownAt < everyMs) return
    shownAt = now
    stream.write(done < total ? `\r\u001b[K${word} ${done} of ${total}` : '\r\u001b[K')
  }
}
