// Prepare the page for Monaco, the editor in GraphiQL. This script runs before GraphiQL is loaded.
"use strict";

// Monaco and the dialogs of GraphiQL insert style elements. The policy of the page allows only those with its nonce.
const { nonce, dataset: workers } = document.currentScript;
const createElement = document.createElement.bind(document);
document.createElement = (...options) => {
  const element = createElement(...options);
  if (element instanceof HTMLStyleElement) {
    element.nonce = nonce;
  }
  return element;
};

globalThis.MonacoEnvironment = {
  getWorker: (_, label) => new Worker(workers[label] ?? workers.editor, { name: label }),
};
