/** What a plan records as its engine: a plan made by another version is refused, since it may compute otherwise. */
export const engineVersion = 'fibric/0.1.0'
