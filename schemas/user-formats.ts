import { formats } from './formats.ts'

const dateText = /^\d{4}-\d{2}-\d{2}$/
const timeText = /^\d{2}:\d{2}:\d{2}(\.\d{1,9})?(Z|[+-]\d{2}:\d{2})$/

/** Formats that schemas inside documents may ask for, and that are enforced; none takes more than linear time. */
export const userFormats: { readonly [name: string]: (text: string) => boolean } = {
  'date-time': formats['date-time'].test,
  date: (text) => dateText.test(text) && formats['date-time'].test(`${text}T00:00:00Z`),
  time: (text) => timeText.test(text) && formats['date-time'].test(`2000-01-01T${text}`),
  duration: (text) =>
    /^P(?!$)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=\d)(\d+H)?(\d+M)?(\d+S)?)?$/.test(text) || formats.duration.test(text),
  email: formats.email.test,
  hostname: formats.host.test,
  ipv4: (text) => !text.includes(':') && formats.cidr.test(`${text}/32`),
  ipv6: (text) => text.includes(':') && formats.cidr.test(`${text}/128`),
  uri: (text) => /^[A-Za-z][A-Za-z0-9+.-]*:[^\s<>"{}|\\^`]*$/.test(text),
  uuid: (text) => /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i.test(text),
  /** The reference of an uploaded file: opaque here, resolved when a skill runs. */
  'fibric-file': (text) => text.length > 0 && text.length <= 512,
}

/** Formats that describe and enforce nothing, as OpenAPI documents have them. */
export const annotationFormats: readonly string[] = ['int32', 'int64', 'float', 'double', 'byte', 'binary', 'password']
