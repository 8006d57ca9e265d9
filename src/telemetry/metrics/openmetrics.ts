/**
 * Writes OpenMetrics text, version 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/).
 * All samples of a metric have to stand together, so callers finish one before they begin another.
 */
export type MetricType = 'counter' | 'gauge' | 'histogram' | 'info'

export type Labels = Readonly<Record<string, string>>

export class MetricText {
  readonly #lines: string[] = []
  #name = ''

  /** Begins a metric; `name` without `_total`, `_bucket` and the like. */
  begin(name: string, type: MetricType, help: string): void {
    this.#name = name
    this.#lines.push(`# TYPE ${name} ${type}`, `# HELP ${name} ${escaped(help)}`)
  }

  /** A sample of the metric begun last; `suffix` is that of its type, such as `_total`. */
  sample(suffix: string, labels: Labels, value: number): void {
    this.#lines.push(`${this.#name}${suffix}${formatLabels(labels)} ${formatNumber(value)}`)
  }

  /** The whole text with the mark that ends it. */
  end(): string {
    return `${this.#lines.join('\n')}${this.#lines.length > 0 ? '\n' : ''}# EOF\n`
  }
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

/** Backslash, quote and line feed are the three characters the format escapes. */
function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}

function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf'
  if (value === Number.NEGATIVE_INFINITY) return '-Inf'
  return String(value)
}
