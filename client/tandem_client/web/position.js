// How far the page has come in its conversation: what a server that keeps it needs to know to go on from there. Pure.

export class Position {
  /** Empty while there is nothing to go on with. */
  session = "";
  #last = "";

  /** The server's next event. @param {any} event */
  saw(event) {
    if (event.type === "session.created") this.session = event.session?.id ?? "";
    if (event.event_id) this.#last = event.event_id;
  }

  /** The server's next binary frame: it has the id that its event would have. @param {number} sequence */
  heard(sequence) {
    if (this.session) this.#last = `event_${this.session.replace(/^sess_/, "")}_a${sequence}`;
  }

  /** What a connection that goes on from here adds to the server's address: empty, or from "?" on. */
  get query() {
    if (!this.session) return "";
    return `?${new URLSearchParams({ session_id: this.session, ...(this.#last && { last_event_id: this.#last }) })}`;
  }
}
