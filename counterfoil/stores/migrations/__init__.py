"""The revisions of views.db and state.db, one file each; see `counterfoil.stores.migrating`."""
