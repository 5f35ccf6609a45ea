// The entry of graphiql.min.js: what explorer.js uses, as one global, since a page without modules can load it.
import { createGraphiQLFetcher } from "@graphiql/toolkit";
import { GraphiQL } from "graphiql";
import "graphiql/style.css";
import { parse } from "graphql";
import { createClient as createSseClient } from "graphql-sse";
import { TabFocus } from "monaco-editor/esm/vs/editor/browser/config/tabFocus.js";
import { editor as editors } from "monaco-graphql/esm/monaco-editor.js";
import { createElement } from "react";
import { createRoot } from "react-dom/client";

globalThis.GraphiQLBundle = {
  GraphiQL,
  TabFocus,
  createElement,
  createGraphiQLFetcher,
  createRoot,
  createSseClient,
  editors,
  parse,
};
