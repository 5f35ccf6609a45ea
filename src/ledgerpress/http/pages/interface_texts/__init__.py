"""The site's own words on pages and in feeds: texts in English, their translations, and dates and numbers."""
