/** A map of sets, without empty ones. */
export class SetMap<K, V> {
  readonly #sets = new Map<K, Set<V>>()

  /** A copy of the values of a key. */
  get(key: K): V[] {
    return [...(this.#sets.get(key) ?? [])]
  }

  add(key: K, value: V): void {
    this.#sets.set(key, (this.#sets.get(key) ?? new Set()).add(value))
  }

  delete(key: K, value: V): void {
    const values = this.#sets.get(key)

    values?.delete(value)

    if (values?.size === 0) {
      this.#sets.delete(key)
    }
  }
}
