export interface Book {
  id: number;
  title: string;
}

export class Shelf {
  private books: Book[] = [{ id: 1, title: "The C Programming Language" }];

  all(): readonly Book[] {
    return this.books;
  }

  add(title: string): Book {
    const book = { id: this.books.length + 1, title };
    this.books.push(book);
    return book;
  }
}
