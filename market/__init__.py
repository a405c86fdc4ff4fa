"""The community's market: admits orders, matches them at the posted price, settles meters and keeps the books."""
